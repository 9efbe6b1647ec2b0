"""From a traced ledger to groups: which channels leave together, what they touch, and what they cost."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from explorer.structure.costs import Costs
from explorer.structure.heads import HeadDims
from explorer.structure.labels import Ids, along, varying
from explorer.structure.ledger import Ledger
from explorer.structure.names import Names, owner
from explorer.structure.types import Block, Blocked, CostModel, Group, Product
from explorer.structure.units import Units, frozen_units, grouped

UNREACHED = "no input of this size reaches it"


@dataclass
class Resolution:
    """What a ledger means.

    `macs` has the terms of the multiply-accumulates by the module in which they are made.
    """

    groups: dict[str, Group]
    blocked: tuple[Blocked, ...]
    cost_model: CostModel
    blocks: dict[str, Block]
    macs: dict[str, tuple[Product, ...]]
    units: Units
    names: list[str]

    def leaving(self, removal: Mapping[str, Sequence[int]]) -> np.ndarray:
        """For every channel id whether it leaves with units of numbered groups, not counting places in heads."""
        group, rank = self.units.group, self.units.rank
        starts = np.concatenate([[0], np.cumsum(self.units.sizes)]).astype(np.int64)
        gone = np.zeros(starts[-1] + 1, dtype=bool)  # by group and rank; the last one for what is in no group
        for g, name in enumerate(self.names):
            gone[starts[g] + np.asarray(removal.get(name, ()), dtype=np.int64)] = True
        place = np.where(group >= 0, starts[group] + rank, len(gone) - 1)
        return gone[place][self.units.of]

    def met_in(self, ids: Ids) -> dict[str, int]:
        """The groups that have some of these channels, and how many a unit has on average, rounded down."""
        units, entries = np.unique(self.units.of[ids], return_counts=True)
        group = self.units.group[units]
        return {
            self.names[g]: int(entries[group == g].sum() // (group == g).sum()) for g in np.unique(group[group >= 0])
        }

    def shown_by(self, labels: Mapping[str, Tensor]) -> dict[str, list[str]]:
        """For every group: the modules that return its channels, by the labels of what modules return."""
        shown: dict[str, list[str]] = defaultdict(list)
        for path, label in labels.items():
            group = self.units.group[self.units.of[along(label, varying(label)[0])]]
            for g in np.unique(group[group >= 0]):
                shown[self.names[g]].append(path)
        return shown


def resolve(ledger: Ledger, module: nn.Module, refused: dict[str, str] | None = None) -> Resolution:
    """Groups in network order, what can't be cut, the cost polynomials, and residual blocks in network order.

    Args:
        refused: producers' tensor names that turned out not to be cuttable, with the reason.
    """
    unit_of = ledger.units()
    frozen = frozen_units(ledger, unit_of, refused or {})
    units = grouped(ledger, unit_of, frozen)
    names = Names(ledger, units, module)
    groups = {group.name: group for group in names.groups()}
    dims = HeadDims(ledger, units.of, units.group, names.names, module, refused or {})
    order = sorted(groups.values(), key=lambda g: names.first[g.name])
    all_groups = {group.name: group for whole in order for group in (whole, *dims.groups_inside(whole))}
    blocked = (*_blocked(ledger, unit_of, frozen, module), *dims.blocked)
    costs = Costs(ledger, units, names, dims, module)
    return Resolution(all_groups, blocked, costs.whole(), costs.blocks(), costs.by_module(), units, names.names)


def _blocked(ledger: Ledger, unit_of: Ids, frozen: dict[int, str], module: nn.Module) -> tuple[Blocked, ...]:
    """Producers with channels that can't leave, one entry per producer and reason, and layers never reached."""
    blocked = []
    for producer in ledger.makers():
        reasons: dict[str, int] = defaultdict(int)
        for unit in unit_of[producer.run].tolist():
            if unit in frozen:
                reasons[frozen[unit]] += 1
        blocked += [Blocked(owner(producer.tensor), size * producer.copies, reason) for reason, size in reasons.items()]
    return (*dict.fromkeys(blocked), *_left_out(ledger, module))  # gates of one layer are told once


def _left_out(ledger: Ledger, module: nn.Module) -> tuple[Blocked, ...]:
    """Weights that the pass did not reach, or of which no axis could be followed."""
    followed = {tensor for tensor, _ in ledger.axes}
    reasons: dict[str, Blocked] = {}
    for name, parameter in module.named_parameters():
        unused = UNREACHED if name not in ledger.used else ""
        reason = ledger.lost.get(name, unused)
        if reason and parameter.dim() > 1 and name not in followed:
            reasons.setdefault(owner(name), Blocked(owner(name), len(parameter), reason))
    return tuple(reasons.values())
