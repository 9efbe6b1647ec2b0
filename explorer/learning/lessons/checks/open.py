"""Which network and data are open."""

from explorer.learning.lessons.checking import Verdict, check
from explorer.learning.lessons.cuts import Written
from explorer.learning.lessons.situation import Situation


class Wanted(Written):
    """Args:
    model, data: refs; empty: any.
    """

    model: str = ""
    data: str = ""


@check("open", title="What is open", explanation="Which network and which data are open.", takes=Wanted, rank=60)
def is_open(situation: Situation, wanted: Wanted) -> Verdict:
    met = wanted.model in ("", situation.model) and wanted.data in ("", situation.data)
    return Verdict(met, f"{situation.model} on {situation.data} is open.")
