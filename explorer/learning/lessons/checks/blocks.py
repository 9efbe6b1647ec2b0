"""How many residual blocks are taken out whole."""

from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field

from explorer.learning.lessons.checking import Verdict, check
from explorer.learning.lessons.cuts import Written
from explorer.learning.lessons.situation import Situation


class Wanted(Written):
    """Args:
    blocks: patterns of their names.
    at_least, at_most: how many of these are out.
    """

    blocks: Annotated[list[str], Field(min_length=1)] = Field(default_factory=lambda: ["*"])
    at_least: Annotated[int, Field(ge=0, le=1000)] = 1
    at_most: Annotated[int, Field(ge=0, le=1000)] = 1000


@check(
    "blocks",
    title="Residual blocks are out",
    explanation="How many residual blocks are taken out whole.",
    takes=Wanted,
    rank=25,
)
def blocks(situation: Situation, wanted: Wanted) -> Verdict:
    out = [name for name in situation.choice.blocks if any(fnmatchcase(name, pattern) for pattern in wanted.blocks)]
    met = wanted.at_least <= len(out) <= wanted.at_most
    goal = f"at least {wanted.at_least}" if len(out) < wanted.at_least else f"at most {wanted.at_most}"
    said = f"{len(out)} {'block is' if len(out) == 1 else 'blocks are'} out"
    return Verdict(met, said + ("." if met else f", {goal} should be."))
