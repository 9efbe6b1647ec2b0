"""Which page is in sight."""

from typing import Annotated

from pydantic import Field

from explorer.learning.lessons.checking import Verdict, check
from explorer.learning.lessons.cuts import Written
from explorer.learning.lessons.situation import Situation


class Wanted(Written):
    """Args:
    page: its name in the table of pages.
    """

    page: Annotated[str, Field(min_length=1)]


@check("visit", title="A page is open", explanation="Which page is in sight.", takes=Wanted, rank=70)
def visit(situation: Situation, wanted: Wanted) -> Verdict:
    return Verdict(situation.page == wanted.page)
