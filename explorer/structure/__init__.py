"""What leaves together and what it saves: groups, cost polynomials, and the surgery on single tensors."""

from explorer.structure.adapt import SKIPPED, Skip, adapt
from explorer.structure.analyse import analyse
from explorer.structure.blocks import without
from explorer.structure.count import count
from explorer.structure.surgery import cut_module, leaving, mask_module
from explorer.structure.types import GROUP_KINDS, Block, Blocked, Cost, CostModel, Group, Member, Structure, Tap

__all__ = [
    "GROUP_KINDS",
    "SKIPPED",
    "Block",
    "Blocked",
    "Cost",
    "CostModel",
    "Group",
    "Member",
    "Skip",
    "Structure",
    "Tap",
    "adapt",
    "analyse",
    "count",
    "cut_module",
    "leaving",
    "mask_module",
    "without",
]
