"""How many different cuts were measured."""

from typing import Annotated

from pydantic import Field

from explorer.learning.lessons.checking import Verdict, check
from explorer.learning.lessons.checks.reached import Recovery
from explorer.learning.lessons.cuts import Written
from explorer.learning.lessons.situation import Situation, Tried

Bound = Annotated[float, Field(ge=0, le=1)]


class Wanted(Written):
    """Args:
    at_least: how many different cuts.
    macs_from, macs_to: the share of the MACs that each leaves.
    within: how far apart their shares of MACs may be at most.
    after: the recovery that they were measured after.
    criteria: how many different criteria they go by, at least.
    """

    at_least: Annotated[int, Field(ge=1, le=100)] = 2
    macs_from: Bound = 0.0
    macs_to: Bound = 1.0
    within: Bound = 1.0
    after: Recovery = "none"
    criteria: Annotated[int, Field(ge=1, le=20)] = 1


@check(
    "tried",
    title="Cuts tried",
    explanation="How many different cuts were measured, within limits of MACs or about as large as each other.",
    takes=Wanted,
    later=True,
    rank=100,
)
def tried(situation: Situation, wanted: Wanted) -> Verdict:
    fitting = [
        each
        for each in situation.tried()
        if each.recovery == wanted.after and wanted.macs_from <= each.macs <= wanted.macs_to and not each.choice.empty
    ]
    found = max((_alike(fitting, each.macs, wanted.within) for each in fitting), key=len, default=[])
    criteria = len({each.criterion for each in found})
    met = len(found) >= wanted.at_least and criteria >= wanted.criteria
    by = f" by {criteria} of {wanted.criteria} criteria" if wanted.criteria > 1 else ""
    return Verdict(met, f"{min(len(found), wanted.at_least)} of {wanted.at_least} cuts tried{by}.")


def _alike(points: list[Tried], macs: float, within: float) -> list[Tried]:
    """Different cuts that leave between so many MACs and so many more."""
    found: list[Tried] = []
    for point in points:
        known = any(point.choice == other.choice and point.criterion == other.criterion for other in found)
        if macs <= point.macs <= macs + within and not known:
            found.append(point)
    return found
