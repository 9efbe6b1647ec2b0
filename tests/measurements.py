"""What could have been measured of a network, made from its structure: stairs of eight channels, falling curves."""

from typing import Any

from explorer.budget.latency_table import Check, LatencyTable, Timing, aligned
from explorer.methods.studies.latency_profile import LatencyProfile
from explorer.methods.studies.sensitivity import RATIOS
from explorer.methods.tools.timed_plans import widths
from explorer.structure import Structure

BASE = 2.0  # ms


def table(structure: Structure) -> LatencyTable:
    """Time falls with half of the MACs, and rises where a width is no multiple of eight channels."""
    groups = {}
    for name, group in structure.groups.items():
        share = structure.saving(name).macs / structure.cost().macs
        rows = []
        for kept in widths(structure, name):
            late = 0.0 if aligned(kept * group.unit) else 0.05
            ms = BASE * (late - 0.5 * share * (1 - kept / group.units))
            rows.append(Timing(kept, ms, ms - 0.01, ms + 0.01))
        groups[name] = (*rows, Timing(group.units, 0.0, 0.0, 0.0))
    checks = (Check({}, 0.8, 0.7, 0.84, 0.83, 0.85),)
    return LatencyTable("torch", 1, "CPU (2 threads)", BASE, groups, 0.9, 0.4, checks)


def latency(structure: Structure) -> dict[str, Any]:
    """As `explorer.methods.studies.latency_profile` tells it."""
    return LatencyProfile("made", structure, table(structure)).to_json()


def curves(structure: Structure) -> dict[str, Any]:
    """As `explorer.methods.studies.sensitivity` tells it; the last group is not measured."""
    names = list(structure.groups)[:-1]
    groups = {
        name: [
            {"ratio": ratio, "removed": int(ratio * structure.groups[name].size), "top1": 0.98 - ratio**2 / (at + 2)}
            for ratio in RATIOS
        ]
        for at, name in enumerate(names)
    }
    return {"criterion": "l1", "metric": "top1", "samples": 270, "base": 0.98, "groups": groups, "skipped": {}}
