"""Which criterion says what leaves first."""

from pydantic import Field

from explorer.learning.lessons.checking import Verdict, check
from explorer.learning.lessons.cuts import Written
from explorer.learning.lessons.situation import Situation


class Wanted(Written):
    """Args:
    one_of: names of criteria; empty: any.
    other_than: names that don't do.
    """

    one_of: list[str] = Field(default_factory=list)
    other_than: list[str] = Field(default_factory=list)


@check(
    "criterion",
    title="Criterion",
    explanation="Which criterion says what leaves first.",
    takes=Wanted,
    rank=50,
)
def criterion(situation: Situation, wanted: Wanted) -> Verdict:
    now = situation.criterion
    met = (not wanted.one_of or now in wanted.one_of) and now not in wanted.other_than
    return Verdict(met, f"The criterion is {now}.")
