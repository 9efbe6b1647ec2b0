"""Widths that a network keeps in plain Python attributes: found by what its code reads, followed by the cut.

``view(batch, -1, self.num_heads, self.head_dim)`` breaks, or silently reads other entries, once heads have left. Which
attributes repeat a width can't be told from their names; but the code reads them while it runs, and a number that
equals a width of a group that can't be cut otherwise is tried as one (see `explorer.structure.proof`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, NamedTuple, cast

from torch import nn

from explorer.structure.types import Group, Member, StoredWidth, Structure

MOST_ENTRIES = 16  # of a list or tuple that may hold widths
# Parts of names of attributes that are about positions, or how many layers there are: tried last.
_OTHER = ("size", "stride", "padding", "pad", "dilation", "window", "shift", "patch", "grid", "area", "layers", "depth")
_PLACES = ("height", "width")  # names that are wholly about positions
_WIDE = ("head_size", "hidden_size", "split_size", "intermediate_size")  # but not these


class Read(NamedTuple):
    """A number that the code of a module read: see `StoredWidth`."""

    module: str
    attribute: str
    place: int | None
    value: int


def value_of(layer: nn.Module, stored: StoredWidth | Read) -> Any:
    """What the attribute holds: a number, or the list or tuple in which the number is."""
    held, _, name = stored.attribute.rpartition(".")
    return getattr(getattr(layer, held) if held else layer, name)


def follow_stored(
    attributes: dict[str, dict],
    module: nn.Module,
    smaller: nn.Module,
    structure: Structure,
    removal: Mapping[str, Sequence[int]],
) -> None:
    """Write into `attributes` what stored widths are after a cut, but for those that already follow in `smaller`."""
    tensors = smaller.state_dict()
    for name, units in removal.items():
        for stored in structure.groups[name].stored if units else ():
            before = value_of(module.get_submodule(stored.module), stored)
            if value_of(smaller.get_submodule(stored.module), stored) != before:
                continue
            known = attributes.setdefault(stored.module, {})
            now = known.get(stored.attribute, before)
            number = now if stored.place is None else now[stored.place]
            left = (
                tensors[stored.tensor].shape[stored.axis] if stored.tensor else number - stored.step * len(set(units))
            )
            if stored.place is not None:
                now = [*now[: stored.place], left, *now[stored.place + 1 :]]
            known[stored.attribute] = left if stored.place is None else now


# What the code reads -------------------------------------------------------------------------------------


@contextmanager
def reading(module: nn.Module) -> Iterator[list[Read]]:
    """Inside it, what the module's own code reads of whole numbers in plain attributes is listed, each once.

    The module must be a copy that nobody else uses: its parts, and configurations in them, get classes that tell.
    """
    listed: list[Read] = []
    notes = _Notes(module)
    told: list[tuple[object, type]] = []
    for each in (*module.modules(), *notes.configurations):
        with suppress(Exception):  # some classes allow no subclass, or no other class in their place
            known = type(each)
            object.__setattr__(each, "__class__", _telling(cast("Any", known)))
            _LISTENERS[id(each)] = notes
            told.append((each, known))
    try:
        yield listed
    finally:
        for each, known in told:
            _LISTENERS.pop(id(each), None)
            object.__setattr__(each, "__class__", known)
        listed.extend(notes.reads)


class _Notes:
    """The numbers that were read: of modules, and of configurations by way of the module that was asked last."""

    def __init__(self, module: nn.Module) -> None:
        self.reads: dict[Read, None] = {}
        self._paths = {id(layer): path for path, layer in module.named_modules()}
        held = [value for layer in module.modules() for value in vars(layer).values() if _is_configuration(value)]
        self.configurations = list({id(value): value for value in held}.values())
        self._asked: dict[int, tuple[str, str]] = {}  # by configuration: module and attribute

    def note(self, owner: object, attribute: str, value: object) -> None:
        path = self._paths.get(id(owner))
        if path is not None and _is_configuration(value):
            self._asked[id(value)] = path, attribute
        elif path is not None:
            self._add(path, attribute, value)
        elif id(owner) in self._asked:
            module, held = self._asked[id(owner)]
            self._add(module, f"{held}.{attribute}", value)

    def _add(self, module: str, attribute: str, value: object) -> None:
        for read in _numbers(module, attribute, value):
            self.reads.setdefault(read)


_LISTENERS: dict[int, _Notes] = {}  # by the id of an object that tells


@cache
def _telling(known: Any) -> Any:
    """A subclass whose instances tell which plain attributes are read."""

    def tell(self: Any, name: str) -> Any:
        value = known.__getattribute__(self, name)
        notes = _LISTENERS.get(id(self))
        if notes is not None and not name.startswith("__") and name in object.__getattribute__(self, "__dict__"):
            notes.note(self, name, value)
        return value

    return type(known.__name__, (known,), {"__getattribute__": tell, "__module__": known.__module__})


def _is_configuration(value: object) -> bool:
    """Whether an object is a configuration that modules read widths from, as those of Hugging Face."""
    return hasattr(value, "__dict__") and not isinstance(value, nn.Module) and "config" in type(value).__name__.lower()


def _numbers(module: str, attribute: str, value: object) -> Iterator[Read]:
    """The whole numbers in an attribute: itself, or entries of a list or tuple."""
    if isinstance(value, int) and not isinstance(value, bool):
        yield Read(module, attribute, None, value)
    elif isinstance(value, list | tuple):
        for place, entry in enumerate(value[:MOST_ENTRIES]):
            if isinstance(entry, int) and not isinstance(entry, bool):
                yield Read(module, attribute, place, entry)


def named_numbers(module: nn.Module, patterns: Sequence[str]) -> list[Read]:
    """The numbers in the attributes whose paths match one of the patterns."""
    named = [
        (path, attribute, value)
        for path, layer in (module.named_modules() if patterns else ())
        for attribute, value in _attributes(layer)
        if any(fnmatchcase(f"{path}.{attribute}".lstrip("."), pattern) for pattern in patterns)
    ]
    return [read for each in named for read in _numbers(*each)]


def _attributes(layer: nn.Module) -> Iterator[tuple[str, object]]:
    """What a module has, and, as ``config.hidden_size``, what configurations that it holds have."""
    for name, value in vars(layer).items():
        yield name, value
        if _is_configuration(value):
            yield from ((f"{name}.{inner}", each) for inner, each in vars(value).items())


def likely(stored: StoredWidth) -> bool:
    """Whether the attribute's name does not speak of something else than channels."""
    name = stored.attribute.rpartition(".")[2]
    return any(part in name for part in _WIDE) or not (name in _PLACES or any(part in name for part in _OTHER))


# Which of it may be a group's width ----------------------------------------------------------------------


def candidates(group: Group, reads: Sequence[Read], shapes: Mapping[str, Sequence[int]]) -> list[StoredWidth]:
    """What could follow the group's width: numbers that equal a count of its units or channels.

    Args:
        shapes: of all tensors.
    """
    found: list[StoredWidth] = []
    steps = _steps(group)
    whole = {  # of axes of one length that with most of the group's channels
        shapes[member.tensor][member.axis]: member
        for member in sorted(group.members, key=_entries)
        if member.role != "index" and _entries(member)
    }
    for read in reads:
        place = (read.module, read.attribute, read.place)
        if read.value == group.units:
            found.append(StoredWidth(*place, step=1))
        elif (member := whole.get(read.value)) is not None:
            found.append(StoredWidth(*place, tensor=member.tensor, axis=member.axis))
        elif (step := read.value / group.units) in steps:
            found.append(StoredWidth(*place, step=int(step)))
    return found


def _entries(member: Member) -> int:
    return int((member.units >= 0).sum())


def _steps(group: Group) -> set[float]:
    """How many entries of one axis, channels, or heads, a unit has, and how many of one are to each of another."""
    each = {_entries(member) // group.units for member in group.members if _entries(member) >= group.units}
    more = (more / fewer for more in each for fewer in each if fewer < more)
    return {float(group.unit), float(group.heads), *map(float, each), *more}
