"""Pruning while a training loop of one's own runs: see `Schedule`."""

from explorer.loops.schedule import LoopCut, Schedule

__all__ = ["LoopCut", "Schedule"]
