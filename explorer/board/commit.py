"""What a person did on the board, checked: Python is the truth, the browser only proposes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explorer.board.choice import Choice
from explorer.structure import Structure


@dataclass(frozen=True)
class Commit:
    """What a person did on the board.

    `removed` is the whole plan as counts of lowest-scored units by group; groups that stay whole are absent. `blocks`
    are the residual blocks that leave, sorted.
    `inspect` is a (group, unit) that was clicked, in the coordinates of the original model.
    """

    revision: int
    removed: dict[str, int]
    locked: tuple[str, ...]
    blocks: tuple[str, ...]
    selected: str | None
    inspect: tuple[str, int] | None

    def budget(self, structure: Structure) -> dict[str, float]:
        """The fraction of each group's units to remove."""
        return {name: count / structure.groups[name].units for name, count in self.removed.items()}

    def choice(self, structure: Structure, before: Choice) -> Choice:
        """What it makes of the choice that the board showed."""
        return before.moved(self.budget(structure), frozenset(self.locked), frozenset(self.blocks))


def accept(commit: Any, revision: int, document: Mapping[str, Any]) -> Commit | None:
    """What the browser sent, checked; None where it was made against another revision or does not fit `document`.

    Locked groups are as the commit says; those without scores stay whole whatever it says.
    """
    if not isinstance(commit, Mapping) or commit.get("revision") != revision:
        return None
    groups = {group["name"]: group for group in document["groups"]}
    removed, locked, blocks = commit.get("removed"), commit.get("locked"), commit.get("blocks", ())
    if not isinstance(removed, Mapping) or not isinstance(locked, list | tuple) or not isinstance(blocks, list | tuple):
        return None
    if not all(name in [block["name"] for block in document["blocks"]] for name in blocks):
        return None
    if not all(name in groups and _fits(count, groups[name]) for name, count in removed.items()):
        return None
    selected, inspect = commit.get("selected"), commit.get("inspect")
    return Commit(
        revision,
        {name: count for name, count in removed.items() if count},
        tuple(name for name in groups if name in locked),
        tuple(sorted(set(blocks))),
        selected if isinstance(selected, str) and selected in groups else None,
        _inspected(inspect, groups),
    )


def _fits(count: Any, group: Mapping[str, Any]) -> bool:
    most = 0 if group["skipped"] else group["units"] - group["minimum"]
    return type(count) is int and 0 <= count <= most


def _inspected(inspect: Any, groups: Mapping[str, Mapping[str, Any]]) -> tuple[str, int] | None:
    if not isinstance(inspect, Mapping) or not isinstance(inspect.get("group"), str):
        return None
    name, unit = inspect["group"], inspect.get("unit")
    if name not in groups or type(unit) is not int or not 0 <= unit < groups[name]["units"]:
        return None
    return name, unit
