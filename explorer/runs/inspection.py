"""What a model is made of, and what could leave it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from explorer.progress import Report, silent
from explorer.sources import load_model
from explorer.structure import Cost, Structure, analyse
from explorer.structure.types import Blocked


@dataclass(frozen=True)
class InspectedGroup:
    """A group of channels that leave together; `params` and `macs` are what removing all of it would save.

    `size` counts channels, of which `unit` make a unit; `exact` says whether a mask equals the cut, else `reason` why
    it doesn't; `members` counts the tensors' axes that shrink with it.
    """

    name: str
    kind: str
    size: int
    unit: int
    exact: bool
    reason: str
    members: int
    params: int
    macs: int


@dataclass(frozen=True)
class Inspection:
    """A model's cost for one input of the shape `input`, its groups, and its residual blocks with what each costs.

    `note` says what a person should know of it.
    """

    model: str
    cost: Cost
    input: tuple[int, ...]
    groups: tuple[InspectedGroup, ...]
    blocks: Mapping[str, Cost]
    blocked: tuple[Blocked, ...]
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """``{model, note, params, macs, input, groups, blocks, blocked}``.

        ``blocks`` is ``[{name, params, macs}]``, ``blocked`` is ``[{name, size, reason}]``.
        """
        return {
            "model": self.model,
            "note": self.note,
            **asdict(self.cost),
            "input": list(self.input),
            "groups": [asdict(group) for group in self.groups],
            "blocks": [{"name": name, **asdict(cost)} for name, cost in self.blocks.items()],
            "blocked": [asdict(entry) for entry in self.blocked],
        }


def inspect_model(ref: str, input_shape: tuple[int, ...] | None, report: Report = silent) -> Inspection:
    """Groups, residual blocks and cost of a model."""
    report(0.0, f"loading {ref}")
    loaded = load_model(ref, input_shape=input_shape)
    report(0.5, "finding the groups")
    structure = analyse(loaded.module, loaded.example())
    return Inspection(
        model=ref,
        cost=structure.cost(),
        input=tuple(loaded.input_shape),
        groups=tuple(_group(structure, name) for name in structure.groups),
        blocks={name: block.cost_model(structure.full) for name, block in structure.blocks.items()},
        blocked=tuple(structure.blocked),
        note=loaded.note,
    )


def _group(structure: Structure, name: str) -> InspectedGroup:
    group, saving = structure.groups[name], structure.saving(name)
    return InspectedGroup(
        name=name,
        kind=group.kind,
        size=group.size,
        unit=group.unit,
        exact=group.exact,
        reason=group.reason,
        members=len(group.members),
        params=saving.params,
        macs=saving.macs,
    )
