"""Plans, tried as masks and done as cuts, in copies or in place."""

from explorer.pruning.cut import CutModel, cut, exact
from explorer.pruning.in_place import Narrowed, NarrowedTensor, entries_that_stay, narrow
from explorer.pruning.mask import mask
from explorer.pruning.plan import Plan, plan_from_budget, unknown_group

__all__ = [
    "CutModel",
    "Narrowed",
    "NarrowedTensor",
    "Plan",
    "cut",
    "entries_that_stay",
    "exact",
    "mask",
    "narrow",
    "plan_from_budget",
    "unknown_group",
]
