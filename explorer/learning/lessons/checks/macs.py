"""How many multiply-accumulates are left."""

from typing import Annotated

from pydantic import Field

from explorer.learning.lessons.checking import Verdict, check
from explorer.learning.lessons.cuts import Written
from explorer.learning.lessons.situation import Situation

Bound = Annotated[float, Field(ge=0, le=1)]


class Wanted(Written):
    """Args:
    at_least, at_most: the share of the whole network's MACs that is left.
    """

    at_least: Bound = 0.0
    at_most: Bound = 1.0


@check(
    "macs",
    title="MACs left",
    explanation="The share of the whole network's multiply-accumulates that is left.",
    takes=Wanted,
    rank=30,
)
def macs(situation: Situation, wanted: Wanted) -> Verdict:
    left = situation.macs()
    met = wanted.at_least <= left <= wanted.at_most
    goal = f"at most {wanted.at_most:.0%}" if left > wanted.at_most else f"at least {wanted.at_least:.0%}"
    return Verdict(met, f"{left:.1%} of the MACs are left" + ("." if met else f", {goal} should be."))
