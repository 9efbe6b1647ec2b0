"""The coverage table: every network is analysed, cut by 30 % everywhere, and compared with what it should be."""

from explorer.bench.coverage.row import row
from explorer.bench.coverage.running import coverage, isolated
from explorer.bench.coverage.table import HEADS, cells, is_green, is_wrong, markdown, summary

__all__ = ["HEADS", "cells", "coverage", "is_green", "is_wrong", "isolated", "markdown", "row", "summary"]
