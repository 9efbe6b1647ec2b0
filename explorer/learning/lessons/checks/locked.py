"""Whether some groups are locked."""

from explorer.learning.lessons.checking import Verdict, check
from explorer.learning.lessons.cuts import Groups, Written, chosen
from explorer.learning.lessons.situation import Situation


class Wanted(Written):
    """Args:
    groups: patterns.
    """

    groups: Groups


@check(
    "locked",
    title="Groups are locked",
    explanation="Whether sharing out leaves some groups whole.",
    takes=Wanted,
    rank=80,
)
def locked(situation: Situation, wanted: Wanted) -> Verdict:
    free = [name for name in chosen(situation.structure, wanted.groups) if name not in situation.choice.locked]
    return Verdict(not free, f"{len(free)} of these rows are not locked." if free else "They are locked.")
