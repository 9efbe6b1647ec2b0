"""Structured pruning that can be seen: groups, scores, budgets, cuts, recovery, measurement, export."""

__version__ = "0.1.0"
