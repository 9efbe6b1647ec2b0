"""What a model may cost: several quantities at once, as one number that bisection can work on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from explorer.budget.latency_table import LatencyModel, aligned
from explorer.budget.target import Target
from explorer.errors import ExplorerError
from explorer.structure.types import Structure

Kept = Mapping[str, int]
KNOTS = 9  # widths of one group at which its cost is evaluated; straight lines lie between


@dataclass(frozen=True)
class Meter:
    """Everything that a target can be about, of a model whose groups keep so many units.

    Args:
        structure: of the model, which params and MACs follow from.
        size: gives the bytes of the weights file; None where no target is about them.
        latency: gives the predicted milliseconds; None where no target is about them.
    """

    structure: Structure
    size: Callable[[Kept], int] | None = None
    latency: LatencyModel | None = None

    def __call__(self, kind: str, kept: Kept) -> float:
        """The quantity `kind`; groups that are not named stay whole.

        Raises:
            ExplorerError: nothing is known of it.
        """
        if kind in ("params", "macs"):
            return getattr(self.structure.cost(kept), kind)
        measure = {"size": self.size, "latency": self.latency}[kind]
        if measure is None:
            advice = "its tensors are needed" if kind == "size" else "time the network first, with the command latency"
            raise ExplorerError(f"a target for {kind} needs more than the structure of the model: {advice}")
        return measure(kept)


class Limits:
    """Targets for some groups of a model, while others are held where they are.

    Args:
        meter: of the model.
        targets: that are to be met.
        free: the groups that may lose units.
        held: how many units each of the others has lost.
        margin: of every limit, that is aimed below it.
    """

    def __init__(
        self, meter: Meter, targets: Sequence[Target], free: Sequence[str], held: Mapping[str, int], margin: float = 0.0
    ) -> None:
        self.meter, self.kinds, self._free, self._held = meter, [target.kind for target in targets], free, held
        self.whole = np.array([meter(kind, {}) for kind in self.kinds], dtype=float)
        self.goals = np.array([t.goal(whole) for t, whole in zip(targets, self.whole, strict=True)]) * (1 - margin)

    def kept(self, removed: np.ndarray) -> dict[str, int]:
        """Units that stay when the free groups lose so many, (groups,)."""
        leaving = {**self._held, **dict(zip(self._free, removed.tolist(), strict=True))}
        return {name: self.meter.structure.full[name] - count for name, count in leaving.items()}

    def costs(self, removed: np.ndarray) -> np.ndarray:
        """What is left of every quantity, (targets,)."""
        kept = self.kept(removed)
        return np.array([self.meter(kind, kept) for kind in self.kinds], dtype=float)

    def load(self, removed: np.ndarray) -> float:
        """The largest share of a limit that is used: up to 1 all are met."""
        return float((self.costs(removed) / self.goals).max())

    def weight(self, removed: np.ndarray) -> float:
        """The quantities as one: shares of the limits, those that are further from being met counting more."""
        excess = np.maximum(self.whole / self.goals - 1, 1e-6)
        return float((self.costs(removed) / self.goals) @ excess)

    def latency(self, removed: np.ndarray) -> float:
        """The predicted milliseconds."""
        return self.meter("latency", self.kept(removed))

    def prices(self, removed: np.ndarray, most: np.ndarray) -> np.ndarray:
        """What one unit of each group weighs while the others are as `removed` says, on average; (groups,)."""
        prices = np.ones(len(most))
        for index, count in enumerate(most):
            if count:
                none, all_of_it = (self._with(removed, index, n) for n in (0, count))
                prices[index] = (self.weight(none) - self.weight(all_of_it)) / count
        floor = max(prices.max(initial=0.0) * 1e-9, 1e-300)
        return np.maximum(prices, floor)

    def savings(self, removed: np.ndarray, index: int, most: int, weight: Callable[[np.ndarray], float]) -> np.ndarray:
        """What a group saves by losing 0 … `most` units while the others are as `removed` says, (most + 1,)."""
        counts = np.arange(most + 1)
        knots = np.unique(np.linspace(0, most, KNOTS).round().astype(int)) if most >= KNOTS else counts
        if "latency" in self.kinds or weight == self.latency:
            knots = np.unique([*knots, *self._stairs(index, most)])
        values = np.array([weight(self._with(removed, index, int(n))) for n in knots])
        return np.interp(counts, knots, values[0] - values)

    def _stairs(self, index: int, most: int) -> list[int]:
        """Removals at which latency may change at once: to multiples of eight channels, and to one unit less."""
        name = self._free[index]
        units, unit = self.meter.structure.full[name], self.meter.structure.groups[name].unit
        even = [count for count in range(most + 1) if aligned((units - count) * unit)]
        return [count for n in even for count in (n, n + 1, n - 1) if 0 <= count <= most]

    @staticmethod
    def _with(removed: np.ndarray, index: int, count: int) -> np.ndarray:
        changed = removed.copy()
        changed[index] = count
        return changed
