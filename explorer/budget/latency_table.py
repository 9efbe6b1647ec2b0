"""What was timed of a network at several widths, and what that says of widths that were not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from explorer.structure.types import Structure

RUNTIMES = {"torch": "torch eager", "onnx": "onnxruntime"}  # that are timed, with what a person calls them
ALIGNMENT = 8  # channels, the blocks in which vector units take them
LARGEST_SCALE = 2.0
RIDGE = 0.3
JUMP = 0.03  # of the whole network's time, between neighbouring widths, beyond what the slope explains: a cliff


@dataclass(frozen=True)
class Timing:
    """The time of the network with one narrower group minus that of the whole one, in ms.

    The two were timed in turns, so that a machine that slows down slows both.

    Args:
        kept: units of the group that stay.
        ms: the difference.
        low: the lower bound of its 95 % interval.
        high: the upper one.
    """

    kept: int
    ms: float
    low: float
    high: float


@dataclass(frozen=True)
class Check:
    """A plan that was really cut and timed; times are shares of the whole network's.

    Args:
        kept: units of every group that stay.
        predicted: by the table.
        additive: by the plain sum of what the groups change alone.
        measured: on the device.
        low: the lower bound of the measurement's 95 % interval.
        high: the upper one.
    """

    kept: dict[str, int]
    predicted: float
    additive: float
    measured: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """Of the prediction, relative to what was measured."""
        return self.predicted / self.measured - 1


@dataclass(frozen=True)
class LatencyTable:
    """Times of one network on one device with one runtime.

    Args:
        runtime: what ran it.
        batch: inputs at once.
        device: on which it ran, for a person.
        base_ms: the time of the whole network.
        groups: each group's timings in ascending width; the last is the whole group, 0 by definition.
        scale: of `LatencyModel`, fitted to plans that are not among the `checks`.
        overlap: the same.
        checks: plans that were cut and timed.
    """

    runtime: str
    batch: int
    device: str
    base_ms: float
    groups: dict[str, tuple[Timing, ...]]
    scale: float = 1.0
    overlap: float = 0.0
    checks: tuple[Check, ...] = ()

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "LatencyTable":
        """The table in a document of `explorer.methods.studies.latency_profile`, without its checks."""
        base = document["base_ms"]
        groups = {
            name: tuple(
                Timing(point["kept"], *(point[key] - base for key in ("ms", "low", "high")))
                for point in reversed(picture["points"])
            )
            for name, picture in document["groups"].items()
        }
        runtime, batch, device = (document[key] for key in ("runtime", "batch", "device"))
        return cls(runtime, batch, device, base, groups, document["scale"], document["overlap_ms"])

    @property
    def error(self) -> float | None:
        """The median size of the relative errors of the plans that were checked; None where none was."""
        return float(np.median([abs(check.error) for check in self.checks])) if self.checks else None

    def delta(self, name: str, kept: int, unit: int = 1) -> float:
        """What it changes, in ms, that the group alone keeps `kept` units of `unit` channels.

        Straight lines between timed widths, but multiples of eight channels and other widths each for themselves:
        vector units treat the two differently, so that a line from one to the other says nothing.
        """
        rows: Sequence[Timing] = self.groups.get(name, ())
        same = [row for row in rows if aligned(row.kept * unit) == aligned(kept * unit)]
        rows = same if same and same[0].kept <= kept <= same[-1].kept else rows
        return float(np.interp(kept, [row.kept for row in rows], [row.ms for row in rows])) if rows else 0.0

    def staircase(self, structure: Structure) -> dict[str, Any]:
        """Every group's latency by width, for a picture.

        Returns:
            ``{group: {"points": [{width, kept, ms, low, high}], "cliffs": [{width, to, ms, why}]}}``: widths in
            channels, descending, times those of the whole network. A cliff lies between two neighbouring widths:
            from `width` to the smaller `to` the time changes by `ms`; `why` is "slower" where fewer channels take
            longer, "jump" where the time falls at once by more than the slope explains.
        """
        pictures = {}
        for name, rows in self.groups.items():
            unit = structure.groups[name].unit
            points = [
                {
                    "width": row.kept * unit,
                    "kept": row.kept,
                    **{key: self.base_ms + getattr(row, key) for key in ("ms", "low", "high")},
                }
                for row in reversed(rows)
            ]
            pictures[name] = {"points": points, "cliffs": _cliffs(points, self.base_ms)}
        return pictures


def _cliffs(points: list[dict[str, float]], base: float) -> list[dict[str, Any]]:
    """Steps that the intervals of both ends confirm."""
    if len(points) < 2:
        return []
    slope = (points[0]["ms"] - points[-1]["ms"]) / max(1, points[0]["width"] - points[-1]["width"])
    cliffs = []
    for wide, narrow in pairwise(points):
        change = narrow["ms"] - wide["ms"]
        expected = -max(slope, 0.0) * (wide["width"] - narrow["width"])
        if change > JUMP * base and narrow["low"] > wide["high"]:
            why = "slower"
        elif change - expected < -JUMP * base and narrow["high"] < wide["low"]:
            why = "jump"
        else:
            continue
        cliffs.append({"width": wide["width"], "to": narrow["width"], "ms": change, "why": why})
    return cliffs


@dataclass(frozen=True)
class LatencyModel:
    """Predicts the time of a plan: ``base + scale · Σ_g Δ_g(width) + overlap · (Σ_g S_g − S) / MACs``.

    Δ_g was timed with all other groups whole. Where two groups meet in a layer, what one saves is no longer there for
    the other: S_g are the MACs that a group saves alone, S those that the plan saves, and their difference is what
    the sum counts twice. How much time that is depends on what the device waits for, which two fitted numbers say.
    """

    table: LatencyTable
    structure: Structure
    _alone: dict[tuple[str, int], int] = field(default_factory=dict, repr=False, compare=False)
    _deltas: dict[tuple[str, int], float] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, kept: Mapping[str, int]) -> float:
        """Milliseconds for so many units kept; groups that are not named stay whole."""
        table = self.table
        return max(0.0, table.base_ms + table.scale * self.change(kept) + table.overlap * self.twice(kept))

    def change(self, kept: Mapping[str, int]) -> float:
        """The plain sum of what the groups change alone, in ms."""
        return sum(self.delta(name, count) for name, count in kept.items())

    def delta(self, name: str, kept: int) -> float:
        """What the group changes alone, in ms."""
        if (name, kept) not in self._deltas:
            self._deltas[name, kept] = self.table.delta(name, kept, self.structure.groups[name].unit)
        return self._deltas[name, kept]

    def twice(self, kept: Mapping[str, int]) -> float:
        """The share of the network's MACs that the sum over groups counts as saved more than once."""
        whole = self._saving("", 0)
        alone = sum(self._saving(name, count) for name, count in kept.items() if count < self.structure.full[name])
        return (alone - (whole - self.structure.cost(kept).macs)) / max(whole, 1)

    def fastest(self, name: str, kept: Sequence[int]) -> int:
        """The width within `kept`, ascending, at which the group alone is fastest; of equal ones the largest."""
        return min(reversed(kept), key=lambda count: self.delta(name, count))

    def _saving(self, name: str, count: int) -> int:
        """MACs that a group saves alone; of no group, all."""
        if (name, count) not in self._alone:
            whole = self.structure.cost().macs
            self._alone[name, count] = whole - self.structure.cost({name: count}).macs if name else whole
        return self._alone[name, count]


def aligned(channels: int) -> bool:
    return channels % ALIGNMENT == 0


def fitted(changes: np.ndarray, twice: np.ndarray, measured: np.ndarray, base: float) -> tuple[float, float]:
    """`scale` and `overlap` (ms) for which plans take `measured` ms more than the whole, by least squares.

    Both are kept to what can be: what is saved twice gives back at most the whole time and takes nothing, and the sum
    is off by a factor of `LARGEST_SCALE` at most. A ridge pulls towards the plain sum, since plans are few and noisy.

    Args:
        changes: of every plan, the sum of what its groups change alone, in ms, (plans,).
        twice: of every plan, what its groups save twice, (plans,).
        measured: what every plan takes more than the whole, in ms, (plans,).
        base: the time of the whole network, in ms.
    """
    if not len(measured):
        return 1.0, 0.0
    ridge = np.diag([RIDGE * np.abs(changes).max(), RIDGE * np.abs(twice).max()])
    rows = np.concatenate([np.stack([changes, twice], axis=1), ridge])
    wanted = np.concatenate([measured - changes, np.zeros(2)])
    overlap = float(np.clip(np.linalg.lstsq(rows, wanted, rcond=None)[0][1], 0.0, base))
    left = wanted - overlap * rows[:, 1]
    scale = 1 + float(rows[:, 0] @ left / max(rows[:, 0] @ rows[:, 0], 1e-12))
    return float(np.clip(scale, 1 / LARGEST_SCALE, LARGEST_SCALE)), overlap
