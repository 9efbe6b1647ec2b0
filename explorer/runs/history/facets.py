"""Runs sorted into facets: only those of one network, one data set and one metric belong on the same axes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from explorer.runs.history.finished import Finished
from explorer.tasks import headline, metric_of

COSTS = ("macs", "params", "nonzero")


@dataclass(frozen=True)
class Facet:
    """The runs of one network, before anything was cut of it, on one data set, judged by one metric.

    Args:
        network: the ref of the network that they, or the runs that they started from, began with.
        data: the ref of the data.
        metric: its name.
        runs: their names, in the order given.
        frontier: for each of `COSTS` the names of those that no other of the facet beats, from cheap to dear.
    """

    network: str
    data: str
    metric: str
    runs: tuple[str, ...]
    frontier: Mapping[str, tuple[str, ...]]

    def to_json(self) -> dict[str, Any]:
        """Every field by its name."""
        return asdict(self) | {"runs": list(self.runs), "frontier": {k: list(v) for k, v in self.frontier.items()}}


def facets(runs: Sequence[Finished]) -> list[Facet]:
    """The facets of runs, in the order in which the first run of each comes."""
    found: dict[tuple[str, str, str], list[Finished]] = {}
    for run in runs:
        found.setdefault(facet_of(run), []).append(run)
    return [
        Facet(*key, tuple(run.name for run in some), {cost: tuple(frontier(some, cost)) for cost in COSTS})
        for key, some in found.items()
    ]


def facet_of(run: Finished) -> tuple[str, str, str]:
    """``(network, data, metric)`` of a run."""
    return run.network, str(run.spec["data"]), metric_of(run.result["base"]).name


def frontier(runs: Sequence[Finished], cost: str) -> list[str]:
    """The names of the runs that no other beats (Pareto): none costs no more, is no worse, and better in one of both.

    Args:
        runs: of one facet; those that were not judged are on no frontier.
        cost: "macs", "params", or "nonzero", the parameters that are there and not zero.
    """
    points = [(_cost(run, cost), run) for run in runs if headline(run.result["pruned"]) is not None]
    order = unbeaten([(spent, _merit(run)) for spent, run in points])
    return [points[place][1].name for place in order]


def unbeaten(points: Sequence[tuple[float, float]]) -> list[int]:
    """The places of the points (cost, merit) that no other beats (Pareto), from cheap to dear; equal ones all."""
    best: tuple[float, float] | None = None
    found = []
    for place in sorted(range(len(points)), key=lambda place: (points[place][0], -points[place][1])):
        if best is None or points[place][1] > best[1] or points[place] == best:
            best = points[place]
            found.append(place)
    return found


def _cost(run: Finished, cost: str) -> float:
    pruned = run.result["pruned"]
    return pruned.get("nonzero_params") or pruned["params"] if cost == "nonzero" else pruned[cost]


def _merit(run: Finished) -> float:
    """The metric on test data, turned where less is better."""
    metric, found = metric_of(run.result["pruned"]), headline(run.result["pruned"])
    return found.value if metric.higher_is_better else -found.value
