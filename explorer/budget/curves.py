"""Measured sensitivity curves, as allocation reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from explorer.structure.types import Structure


@dataclass(frozen=True)
class Curves:
    """The task's metric when one group alone loses its lowest-scored units.

    `points` has for every group (units lost, metric), ascending; `base` is the metric of the whole model.
    """

    metric: str
    base: float
    points: Mapping[str, tuple[tuple[int, float], ...]]

    @classmethod
    def of(cls, document: Mapping[str, Any], structure: Structure) -> "Curves":
        """The curves in a document of `explorer.methods.studies.sensitivity`."""
        metric, points = document["metric"], {}
        for name, curve in document["groups"].items():
            unit = structure.groups[name].unit
            points[name] = tuple(sorted({(point["removed"] // unit, point[metric]) for point in curve}))
        return cls(metric, document["base"], points)

    def drop(self, name: str, removed: int) -> float:
        """How far the metric falls when the group alone loses so many units: straight lines between measurements."""
        counts, values = self._drops(name)
        return float(np.interp(removed, counts, values))

    def predicted(self, removed: Mapping[str, int]) -> float:
        """The metric if the drops of the groups added up, which they need not; at least 0."""
        return max(0.0, self.base - sum(self.drop(name, count) for name, count in removed.items()))

    def slopes(self, name: str, units: int) -> np.ndarray:
        """The drop per unit, (units,), non-decreasing: of the curve's lower convex hull, from no loss at no units.

        Behind the last measured point the last slope goes on. A group that was not measured leaves last.
        """
        counts, values = self._drops(name)
        if len(counts) < 2:
            return np.full(units, np.inf)
        hull = [0]
        while hull[-1] < len(counts) - 1:
            here = hull[-1]
            rises = (values[here + 1 :] - values[here]) / (counts[here + 1 :] - counts[here])
            hull.append(here + 1 + len(rises) - 1 - int(np.argmin(rises[::-1])))
        rises = np.diff(values[hull]) / np.diff(counts[hull])
        steps = np.repeat(rises, np.diff(counts[hull]).astype(int))
        return np.concatenate([steps, np.full(max(0, units - len(steps)), rises[-1])])[:units]

    def _drops(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Units lost, from none, and the largest drop up to there: what comes back later was chance."""
        points = [(0, self.base), *((count, value) for count, value in self.points.get(name, ()) if count)]
        counts, values = np.array(points, dtype=float).T
        return counts, np.maximum.accumulate(self.base - values)
