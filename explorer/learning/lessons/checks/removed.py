"""How much of some groups goes."""

from typing import Annotated

from pydantic import Field

from explorer.learning.lessons.checking import Verdict, check
from explorer.learning.lessons.cuts import Groups, Written, chosen, share_lost
from explorer.learning.lessons.situation import Situation

Bound = Annotated[float, Field(ge=0, le=1)]
ROUNDED = 1e-9


class Wanted(Written):
    """Args:
    groups: patterns, see `explorer.learning.lessons.cuts.chosen`.
    at_least, at_most: the fraction of their units, taken together, that goes.
    others_at_most: of all other groups.
    """

    groups: Groups
    at_least: Bound = 0.0
    at_most: Bound = 1.0
    others_at_most: Bound = 1.0


@check(
    "removed",
    title="A share of groups goes",
    explanation="The fraction of the units of some groups, taken together, that goes.",
    takes=Wanted,
    rank=10,
)
def removed(situation: Situation, wanted: Wanted) -> Verdict:
    names = chosen(situation.structure, wanted.groups)
    share = share_lost(situation, names)
    others = share_lost(situation, [name for name in situation.structure.groups if name not in names])
    if others > wanted.others_at_most + ROUNDED:
        return Verdict(False, f"{others:.0%} of the channels of other rows leave too: put these back.")
    met = wanted.at_least - ROUNDED <= share <= wanted.at_most + ROUNDED
    goal = f"at least {wanted.at_least:.0%}" if share < wanted.at_least else f"at most {wanted.at_most:.0%}"
    return Verdict(met, f"{share:.0%} of these channels leave now" + ("." if met else f", {goal} should."))
