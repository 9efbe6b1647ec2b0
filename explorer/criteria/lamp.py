"""Layer-adaptive scores: every unit against those that would stay with it."""

import numpy as np

from explorer.criteria.magnitude import group_norm
from explorer.criteria.tools.context import Context
from explorer.criteria.tools.registry import criterion


@criterion(
    "lamp",
    title="LAMP",
    cost="none",
    reference="Lee et al. 2021, Layer-adaptive Sparsity for the Magnitude-based Pruning (arXiv:2010.07611)",
    explanation="A unit's squared weights over those of all units of its group that are no smaller. The best unit of "
    "every group scores 1, so that one list for all groups never empties any; meant to be used without a normaliser.",
)
def lamp(context: Context) -> dict[str, np.ndarray | str]:
    """``I_u / Σ_{I_v ≥ I_u} I_v`` within a group, I the group norm of the unit: its mean sum of squares over members.

    The paper scores single weights, I = w² within a layer. Here the formula is applied to units, whose I comes from
    all layers of the group; adding up the scores of single weights would give wide filters more than 1.
    """
    norms = group_norm(context)
    return {name: scores if isinstance(scores, str) else lamp_scores(scores) for name, scores in norms.items()}


def lamp_scores(scores: np.ndarray) -> np.ndarray:
    """``x_u / Σ_{v ≥ u} x_v`` with u in ascending order, of equal ones the first first; (units,), no entry negative."""
    order = np.argsort(scores, kind="stable")
    rest = np.cumsum(scores[order][::-1])[::-1]
    shares = np.zeros(len(scores))
    shares[order] = np.divide(scores[order], rest, out=np.zeros(len(scores)), where=rest > 0)
    return shares
