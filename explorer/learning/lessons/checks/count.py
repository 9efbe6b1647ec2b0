"""How many units of some groups go: a single channel switched off, for instance."""

from typing import Annotated

from pydantic import Field

from explorer.learning.lessons.checking import Verdict, check
from explorer.learning.lessons.cuts import Groups, Written, chosen
from explorer.learning.lessons.situation import Situation

Count = Annotated[int, Field(ge=0, le=100_000)]


class Wanted(Written):
    """Args:
    groups: patterns.
    at_least, at_most: units that go, of all these groups together.
    alone: whether every other group must stay whole.
    """

    groups: Groups
    at_least: Count = 1
    at_most: Count = 100_000
    alone: bool = False


@check(
    "count",
    title="A number of channels goes",
    explanation="How many units of some groups go, for instance a single channel.",
    takes=Wanted,
    rank=20,
)
def count(situation: Situation, wanted: Wanted) -> Verdict:
    names, lost = chosen(situation.structure, wanted.groups), situation.lost()
    going = sum(lost[name] for name in names)
    others = sum(lost.values()) - going
    if wanted.alone and others:
        return Verdict(False, f"{others} channels of other rows are off too: put these back.")
    met = wanted.at_least <= going <= wanted.at_most
    goal = f"at least {wanted.at_least}" if going < wanted.at_least else f"at most {wanted.at_most}"
    return Verdict(met, f"{going} {'is' if going == 1 else 'are'} off now" + ("." if met else f", {goal} should be."))
