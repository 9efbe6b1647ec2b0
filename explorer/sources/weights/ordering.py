"""Tensors matched by order and shape, where their names differ."""

from collections.abc import Mapping

Shape = tuple[int | None, ...]
_STANDARD = ("weight", "bias", "running_mean", "running_var")
_FEW = 200  # of which each is compared with each


def agrees(shape: tuple[int, ...], wanted: Shape) -> bool:
    """Whether a shape is the wanted one; None is any size."""
    return len(shape) == len(wanted) and all(b in (a, None) for a, b in zip(shape, wanted, strict=True))


def in_order(wanted: Mapping[str, Shape], found: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Each wanted name with the found one at its place; empty, where shapes or the ends of names don't go together."""
    if len(wanted) != len(found):
        return {}
    pairs = dict(zip(wanted, found, strict=True))
    ends = _Ends()
    matches = all(agrees(found[name], wanted[asked]) and ends.go(asked, name) for asked, name in pairs.items())
    return pairs if matches else {}


def one_by_one(wanted: Mapping[str, Shape], found: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Each wanted name with the only one of its shape and kind, for files that keep no order; else empty."""
    if len(wanted) != len(found) or len(wanted) > _FEW:
        return {}
    pairs = {}
    for asked, shape in wanted.items():
        fitting = [name for name in found if agrees(found[name], shape) and _Ends().go(asked, name)]
        if len(fitting) != 1:
            return {}
        pairs[asked] = fitting[0]
    return pairs if len(set(pairs.values())) == len(found) else {}


class _Ends:
    """What the last part of a name is called on the other side, the same for all tensors of a network."""

    def __init__(self) -> None:
        self._there: dict[str, str] = {}
        self._here: dict[str, str] = {}

    def go(self, asked: str, name: str) -> bool:
        """Whether two names may be those of one tensor: of a list any, else both weights, both biases, …"""
        wanted, found = asked.rpartition(".")[2], name.rpartition(".")[2]
        if found.isdigit() or found.endswith(wanted):
            return True
        if wanted in _STANDARD and found in _STANDARD:
            return False
        return self._there.setdefault(found, wanted) == wanted and self._here.setdefault(wanted, found) == found
