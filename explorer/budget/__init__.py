"""Budgets: how much of every group goes, by hand or so that targets are met."""

from explorer.budget.allocation import Allocation, Reach, Step, allocate, feasible
from explorer.budget.allocators import ALLOCATORS, Allocator, allocator
from explorer.budget.curves import Curves
from explorer.budget.latency_table import LatencyModel, LatencyTable
from explorer.budget.limits import Meter
from explorer.budget.normalisers import NORMALISERS, Normaliser
from explorer.budget.target import Budget, Target, amount, parse_ratio

__all__ = [
    "ALLOCATORS",
    "NORMALISERS",
    "Allocation",
    "Allocator",
    "Budget",
    "Curves",
    "LatencyModel",
    "LatencyTable",
    "Meter",
    "Normaliser",
    "Reach",
    "Step",
    "Target",
    "allocate",
    "allocator",
    "amount",
    "feasible",
    "parse_ratio",
]
