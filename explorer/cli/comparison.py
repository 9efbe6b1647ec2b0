"""A comparison of runs as text: a table a facet, the widths, and what plans have in common."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from explorer.cli.console import table

if TYPE_CHECKING:
    from explorer.runs.history.comparison import Comparison, Row
    from explorer.runs.history.facets import Facet

UNTIMED = "Runs without a latency were made before their base was timed beside them."


def comparison_text(found: "Comparison") -> str:
    """What people read; see `explorer.runs.history.comparison.Comparison.to_json` for programs."""
    parts = [_facet(facet, found) for facet in found.facets]
    if len(found.facets) > 1:
        parts.append("Different networks, data or metrics: compare numbers within each table only.")
    if any(row.latency_ratio is None for row in found.runs):
        parts.append(UNTIMED)
    parts += [_overlap(plan.to_json()) for plan in found.plans]
    return "\n\n".join(parts)


def _facet(facet: "Facet", found: "Comparison") -> str:
    rows = [row for row in found.runs if row.run in facet.runs]
    heads = ["run", "method", "criterion", "recovery", "MACs kept", "params kept", "zeros", "test metric"]
    heads += ["against base", "same samples", "latency of base", "frontier"]
    cells = [[*_made(row), *_reached(row), "yes" if row.run in _best(facet) else None] for row in rows]
    parts = [f"{facet.network} on {facet.data}", table(heads, cells)]
    names = [row.run for row in rows if row.sparsity is None]
    groups = [group for group in found.groups if group.network == facet.network]
    widths = [[group.name, group.size, *(group.kept.get(name) for name in names)] for group in groups]
    if names and widths:
        parts.append(table(["channels of", "whole", *names], widths))
    return "\n\n".join(parts)


def _best(facet: "Facet") -> Sequence[str]:
    """The runs on the frontier of MACs, or of parameters that are not zero: zeros save no MACs."""
    return (*facet.frontier["macs"], *facet.frontier["nonzero"])


def _made(row: "Row") -> list[object]:
    zeros = None if row.sparsity is None else f"{row.sparsity:.1%} of weights"
    return [row.run, row.method, row.criterion, row.recover, f"{row.macs_kept:.1%}", f"{row.params_kept:.1%}", zeros]


def _reached(row: "Row") -> list[object]:
    from explorer.tasks import METRICS

    metric, found, change = METRICS[row.metric], None, None
    if row.value is not None:
        interval = "" if row.low is None or row.high is None else f" ({metric.interval(row.low, row.high)})"
        found = f"{metric.short} {metric.text(row.value)}{interval}"
        change = None if row.change is None else metric.difference(row.change)
    pairs = None if row.lost is None else f"{row.verdict}: {row.lost} lost, {row.gained} gained (p = {row.p_value:.2g})"
    ratio = None if row.latency_ratio is None else f"{row.latency_ratio:.2f} ({row.ratio_low:.2f}–{row.ratio_high:.2f})"
    return [found, change, pairs, ratio]


def _overlap(pair: Mapping[str, Any]) -> str:
    first, second = pair["runs"]
    if pair["overlap"] is None:
        return f"{first} and {second}: neither removes a unit"
    return (
        f"{first} and {second}: {pair['both']} removed units are the same, {pair['first']} and {pair['second']} are "
        f"not: an overlap of {pair['overlap']:.0%}, by chance {pair['chance']:.0%}"
    )
