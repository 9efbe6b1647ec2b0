"""How far criteria agree: rank correlation of their scores, and the units that they rank most differently."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from explorer.criteria.tools.scoring import Scores

Groups = Mapping[str, np.ndarray]


class Dispute(NamedTuple):
    """A unit on which two criteria differ; ranks are among its group's units, from 0 (leaves first) to 1 (last).

    Args:
        group: of the unit.
        unit: its number.
        first: the criterion that ranks it lower.
        second: the one that ranks it higher.
        first_rank: by the first.
        second_rank: by the second.
    """

    group: str
    unit: int
    first: str
    second: str
    first_rank: float
    second_rank: float

    @property
    def difference(self) -> float:
        return abs(self.first_rank - self.second_rank)


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Spearman's ρ, ties at their mean rank; None where one side is constant or there are fewer than two values."""
    if len(first) < 2 or any(side.min() == side.max() for side in (first, second)):
        return None
    from scipy.stats import spearmanr  # slow to import

    return float(spearmanr(first, second).statistic)


def group_correlations(first: Groups, second: Groups) -> dict[str, float]:
    """Spearman's ρ of every group that both sides have and that is not constant on one of them."""
    correlations = {name: rank_correlation(first[name], second[name]) for name in first if name in second}
    return {name: value for name, value in correlations.items() if value is not None}


def weighted_mean(correlations: Mapping[str, float], units: Mapping[str, int]) -> float | None:
    """The mean over groups, each weighted by its number of units; None where there is none.

    Units are never ranked across groups: scores of different groups are not on one scale.
    """
    if not correlations:
        return None
    return float(np.average(list(correlations.values()), weights=[units[name] for name in correlations]))


def disputes(scores: Sequence[Scores], most: int = 20) -> list[Dispute]:
    """The units with the largest difference of rank between any two criteria, one entry per unit, largest first."""
    names = [each.criterion for each in scores]
    differences = []
    for group in dict.fromkeys(name for each in scores for name in each.groups):
        ranked = {each.criterion: places(each.groups[group]) for each in scores if group in each.groups}
        if len(ranked) < 2 or len(next(iter(ranked.values()))) < 2:
            continue
        table = np.stack(list(ranked.values()))
        order = [name for name in names if name in ranked]
        low, high = table.argmin(0), table.argmax(0)
        for unit, (a, b) in enumerate(zip(low, high, strict=True)):
            differences.append(Dispute(group, unit, order[a], order[b], float(table[a, unit]), float(table[b, unit])))
    return sorted(differences, key=lambda dispute: -dispute.difference)[:most]


def places(values: np.ndarray) -> np.ndarray:
    """Ranks of scores from 0 (leaves first) to 1 (last), ties at their mean."""
    from scipy.stats import rankdata  # slow to import

    return (rankdata(values) - 1) / max(len(values) - 1, 1)
