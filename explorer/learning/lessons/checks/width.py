"""How wide some groups are: multiples of 8, or one channel more."""

from typing import Annotated

from pydantic import Field

from explorer.learning.lessons.checking import Verdict, check
from explorer.learning.lessons.cuts import Groups, Written, chosen
from explorer.learning.lessons.situation import Situation


class Wanted(Written):
    """Args:
    groups: patterns; each group is looked at by itself.
    units: exactly so many units stay in each.
    multiple_of: the number of units that stay in each is a multiple of this.
    """

    groups: Groups
    units: Annotated[int, Field(ge=1)] | None = None
    multiple_of: Annotated[int, Field(ge=1)] = 1


@check(
    "width",
    title="Width of groups",
    explanation="How many units stay in each of some groups: a number, or a multiple of one.",
    takes=Wanted,
    rank=40,
)
def width(situation: Situation, wanted: Wanted) -> Verdict:
    lost, groups = situation.lost(), situation.structure.groups
    for name in chosen(situation.structure, wanted.groups):
        stays = groups[name].units - lost[name]
        if wanted.units is not None and stays != wanted.units:
            return Verdict(False, f"{name} keeps {stays} channels, {wanted.units} are asked for.")
        if stays % wanted.multiple_of:
            return Verdict(False, f"{name} keeps {stays} channels, which is no multiple of {wanted.multiple_of}.")
    return Verdict(True, "The widths are as asked for.")
