"""What a row of the board is called: the stage that it stands under, and what leaves it."""

from collections.abc import Sequence

from explorer.structure import Group

UNITS = {"heads": "head", "experts": "expert", "recurrent": "unit"}  # what leaves at once, where that is no channel


def noun(group: Group, units: int = 1) -> str:
    """What leaves a group at once: ``channel``, ``heads``, ``units of 4 channels``."""
    several = UNITS.get(group.kind, "channel" if group.unit == 1 else "unit") + ("" if units == 1 else "s")
    return several if group.unit == 1 or group.kind in UNITS else f"{several} of {group.unit} channels"


def stages(names: Sequence[str], limit: int = 24) -> list[tuple[str, list[str]]]:
    """Groups gathered under the parts of the network that their names share, both in network order.

    Takes the shortest name prefix that makes at least three stages of at most `limit` groups; where none
    does, the one with the fewest oversized stages, and one stage where names have nothing in common.
    """
    if not names:
        return []
    options = [_by_prefix(names, depth) for depth in range(1, 5)]
    sensible = [option for option in options if len(option) > 2 and len(option) <= max(3, len(names) // 2)]
    fitting = [option for option in sensible if max(len(members) for _, members in option) <= limit]
    if fitting:
        return fitting[0]
    return min(sensible or options[:1], key=lambda option: max(len(members) for _, members in option))


def _by_prefix(names: Sequence[str], depth: int) -> list[tuple[str, list[str]]]:
    gathered: dict[str, list[str]] = {}
    for name in names:
        parts = name.split(".")
        gathered.setdefault(".".join(parts[: min(depth, max(1, len(parts) - 1))]), []).append(name)
    return list(gathered.items())
