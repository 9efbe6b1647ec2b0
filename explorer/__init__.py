"""Structured pruning that can be seen: groups, scores, budgets, cuts, recovery, measurement, export."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
