"""Budgets: how much of every group goes, by hand or so that a target is met."""

from explorer.budget.allocation import Allocation, allocate, reachable
from explorer.budget.allocators import ALLOCATORS, Allocator, allocator
from explorer.budget.normalisers import NORMALISERS, Normaliser
from explorer.budget.target import Budget, Target, parse_ratio

__all__ = [
    "ALLOCATORS",
    "NORMALISERS",
    "Allocation",
    "Allocator",
    "Budget",
    "Normaliser",
    "Target",
    "allocate",
    "allocator",
    "parse_ratio",
    "reachable",
]
