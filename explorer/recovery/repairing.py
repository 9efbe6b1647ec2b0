"""Repair without training: what it is, and for which plans there is one.

Here alone is decided what is called "repaired": on the board, in recovery comparisons, on the Recover page and in runs.
It is least squares over what the layers read (`reconstruct`). New batch-norm statistics after it are no part of it: on
the bundled networks they take away up to two points of accuracy, and seldom add any.
"""

from torch import nn

from explorer.pruning import Plan, cut
from explorer.recovery.batchnorm import with_statistics
from explorer.recovery.before import NOTHING_LEFT, Origin, as_cut
from explorer.recovery.reconstruction import REPAIR, unsolved
from explorer.structure import Structure


def repair_for(module: nn.Module, structure: Structure, plan: Plan) -> tuple[str, tuple[str, ...]]:
    """The name of the recovery without training that a plan allows, and why it is no better one.

    `REPAIR`; where no layer can be solved, new batch-norm statistics (``bn``); where there is none, nothing (``none``).
    """
    if plan.empty:
        return "none", (NOTHING_LEFT,)
    origin = Origin(module, structure, plan)
    smaller = cut(module, structure, plan).module
    reasons = unsolved(smaller, origin)
    if len(reasons) < len(origin.losses):
        return REPAIR, ()
    why = as_cut(reasons) or ("no group lost channels: least squares have nothing to make up for",)
    if with_statistics(smaller):
        return "bn", why
    return "none", (*why, "there are no batch-norm statistics to estimate again")
