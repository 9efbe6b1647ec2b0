"""Plans, tried as masks and done as cuts."""

from explorer.pruning.cut import CutModel, cut, exact
from explorer.pruning.mask import mask
from explorer.pruning.plan import Plan, plan_from_budget, unknown_group

__all__ = ["CutModel", "Plan", "cut", "exact", "mask", "plan_from_budget", "unknown_group"]
