"""From a traced ledger to groups: which channels leave together, what they touch, and what they cost."""

from collections import defaultdict
from dataclasses import dataclass

from torch import nn

from explorer.structure.costs import Costs
from explorer.structure.heads import HeadDims
from explorer.structure.labels import Ids
from explorer.structure.ledger import Ledger
from explorer.structure.names import Names, owner
from explorer.structure.types import Block, Blocked, CostModel, Group
from explorer.structure.units import frozen_units, grouped


@dataclass
class Resolution:
    groups: dict[str, Group]
    blocked: tuple[Blocked, ...]
    cost_model: CostModel
    blocks: dict[str, Block]


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
    return Resolution(all_groups, blocked, costs.whole(), costs.blocks())


def _blocked(ledger: Ledger, unit_of: Ids, frozen: dict[int, str], module: nn.Module) -> tuple[Blocked, ...]:
    """Producers with channels that can't leave, one entry per producer and reason, and layers never reached."""
    blocked = []
    for producer in ledger.makers():
        reasons: dict[str, int] = defaultdict(int)
        for unit in unit_of[producer.run].tolist():
            if unit in frozen:
                reasons[frozen[unit]] += 1
        blocked += [Blocked(owner(producer.tensor), size * producer.copies, reason) for reason, size in reasons.items()]
    unreached = {owner(n): p.shape[0] for n, p in module.named_parameters() if n not in ledger.used and p.dim() > 1}
    return (*blocked, *(Blocked(name, size, "no input of this size reaches it") for name, size in unreached.items()))
