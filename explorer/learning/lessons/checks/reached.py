"""What the network reaches as it is cut now, once that is measured."""

from typing import Annotated, Literal

from pydantic import Field

from explorer.learning.lessons.checking import Verdict, check
from explorer.learning.lessons.cuts import Written
from explorer.learning.lessons.situation import Situation

Recovery = Literal["none", "bn", "reconstruct", "finetune"]


class Wanted(Written):
    """Args:
    after: recoveries of which one has to be measured for the present cut; the board repairs by itself.
    at_least, at_most: of the task's metric.
    macs_at_most: the share of the MACs that may be left.
    """

    after: Annotated[list[Recovery], Field(min_length=1, default_factory=lambda: ["none"])]
    at_least: float = 0.0
    at_most: float = 1.0
    macs_at_most: Annotated[float, Field(ge=0, le=1)] = 1.0


@check(
    "reached",
    title="What the cut reaches",
    explanation="The task's metric of the present cut, right after it or after a recovery, once it is measured.",
    takes=Wanted,
    later=True,
    rank=90,
)
def reached(situation: Situation, wanted: Wanted) -> Verdict:
    if situation.choice.empty:
        return Verdict(False, "Nothing is cut yet.")
    left = situation.macs()
    if left > wanted.macs_at_most:
        return Verdict(False, f"{left:.1%} of the MACs are left, at most {wanted.macs_at_most:.0%} should be.")
    here = [tried for tried in situation.tried() if tried.choice == situation.choice]
    found = [tried for tried in here if tried.criterion == situation.criterion and tried.recovery in wanted.after]
    if not found:
        return Verdict(False, "This cut is not measured yet: that takes a moment on the Cut page.")
    best = max(tried.value for tried in found)
    met = wanted.at_least <= best <= wanted.at_most
    goal = f"at least {wanted.at_least:.1%}" if best < wanted.at_least else f"at most {wanted.at_most:.1%}"
    return Verdict(met, f"This cut reaches {best:.1%}" + ("." if met else f", {goal} should it be."))
