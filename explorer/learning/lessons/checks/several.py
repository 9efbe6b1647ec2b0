"""Several checks at once."""

from typing import Annotated, Any

from pydantic import Field, field_validator

from explorer.learning.lessons.checking import Verdict, asked, check
from explorer.learning.lessons.cuts import Written
from explorer.learning.lessons.situation import Situation


class Wanted(Written):
    """Args:
    of: other checks, as tables.
    """

    of: Annotated[list[dict[str, Any]], Field(min_length=2)]

    @field_validator("of")
    @classmethod
    def _are_checks(cls, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for document in value:
            asked(document)
        return value


@check("all", title="All of several", explanation="Several checks, all of which must be met.", takes=Wanted, rank=200)
def all_of(situation: Situation, wanted: Wanted) -> Verdict:
    found = [asked(document)(situation) for document in wanted.of]
    open_ones = [verdict for verdict in found if not verdict.met]
    return open_ones[0] if open_ones else Verdict(True, found[-1].said)


@check("any", title="One of several", explanation="Several checks, one of which must be met.", takes=Wanted, rank=210)
def any_of(situation: Situation, wanted: Wanted) -> Verdict:
    found = [asked(document)(situation) for document in wanted.of]
    return next((verdict for verdict in found if verdict.met), found[0])
