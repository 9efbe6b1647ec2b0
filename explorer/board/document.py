"""What the board shows, as one JSON document."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from explorer.board.naming import noun, stages
from explorer.budget import Target
from explorer.budget.allocation import most_removable
from explorer.budget.latency_table import ALIGNMENT, RUNTIMES, LatencyTable
from explorer.criteria import Scores
from explorer.errors import ExplorerError
from explorer.methods.studies.sensitivity import sparklines
from explorer.structure import Group, Structure
from explorer.structure.links import links
from explorer.structure.types import inside
from explorer.tasks import METRICS

HOW = {"producer": "makes", "consumer": "reads", "affine": "follows", "index": "follows", "expert": "holds"}
DIGITS = 6  # of milliseconds behind the point


def board_document(
    structure: Structure,
    scores: Scores,
    budget: Mapping[str, float],
    locked: Collection[str],
    revision: int,
    *,
    blocks: Collection[str] = (),
    flows: Mapping[str, np.ndarray] | None = None,
    curves: Mapping[str, Any] | None = None,
    latency: Mapping[str, Any] | None = None,
    target: Target | None = None,
    minimum: float = 1,
    snap: int = 1,
    shares: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """All that the board shows, as JSON.

    Args:
        scores: higher = keep; groups without scores stay whole, with the reason.
        budget: fraction of each group's units that leave, lowest scores first, rounded down to whole units.
        revision: counts the changes that the board did not make itself.
        blocks: the residual blocks that are taken out.
        flows: what flows through each unit, of shape (units,); without it the network is drawn by channel counts.
        curves: the measured sensitivity, a document of `explorer.methods.studies.sensitivity`.
        latency: the measured times, a document of `explorer.methods.studies.latency_profile`.
        minimum: what every group keeps: a fraction below 1, else a number of units; at least one unit. A budget that
            takes more of a group goes before.
        snap: where units leave a group, the number that stays is a multiple of this, as some hardware wants it.
        shares: each group's share of the MACs, where it is known already.

    Raises:
        ExplorerError: an impossible minimum, or scores of another model.
    """
    whole = structure.cost()
    stage_of = {name: heading for heading, names in stages(list(structure.groups)) for name in names}
    lines = sparklines(curves) if curves else {}
    table = LatencyTable.of(latency) if latency else None
    groups = []
    for name, group in structure.groups.items():
        values = scores.groups.get(name)
        if values is not None and values.shape != (group.units,):
            raise ExplorerError(
                f"group {name} has {group.units} units but scores of shape {values.shape}: score this model again"
            )
        share = shares[name] if shares else structure.saving(name).macs / max(whole.macs, 1)
        removed = 0 if values is None else group.leaving(budget.get(name, 0.0))
        most = max(most_removable(structure, name, minimum), removed)
        groups.append(
            {
                **_described(group, stage_of[name]),
                **_ranked(values),
                "minimum": group.units - most,
                "snap": snap,
                "skipped": _skipped(scores, name, most),
                "macs": share,
                "flow": None if flows is None or name not in flows else np.asarray(flows[name], float).tolist(),
                "curve": [list(point) for point in lines[name]] if name in lines else None,
                "times": _times(table, name),
                "cliffs": _cliffs(group, latency),
                "locked": name in locked,
                "removed": removed,
            }
        )
    return {
        "groups": groups,
        "blocks": _blocks(structure, blocks),
        "cost": structure.cost_model.to_json(),
        "whole": {"params": whole.params, "macs": whole.macs},
        "links": [[link.source, link.target, link.layer] for link in links(structure)],
        "range": _range(scores),
        "metric": _metric(curves) if curves else None,
        "latency": latency_in_short(latency) if latency else None,
        "target": None if target is None else {"kind": target.kind, "keep": target.keep},
        "revision": revision,
    }


def block_stages(structure: Structure) -> dict[str, str]:
    """The stage of every residual block: that of the first group in it, else of the network's last."""
    stage_of = {name: heading for heading, names in stages(list(structure.groups)) for name in names}
    last = next(reversed(stage_of.values()), "")
    found = {}
    for block in structure.blocks:
        held = (group for group in structure.groups if inside(group, [block]))
        found[block] = stage_of.get(next(held, ""), last)
    return found


def _blocks(structure: Structure, out: Collection[str]) -> list[dict[str, Any]]:
    """The residual blocks, each before the first group of its stage that it holds.

    `before` is the number of that group; one that holds none stands behind them all. `inside` are the groups that leave
    with the block.
    """
    whole = structure.cost()
    full, places = structure.full, {name: place for place, name in enumerate(structure.groups)}
    headings = block_stages(structure)
    found = []
    for name, block in structure.blocks.items():
        held = [group for group in structure.groups if inside(group, [name])]
        cost = block.cost_model(full)
        found.append(
            {
                "name": name,
                "stage": headings[name],
                "before": places[held[0]] if held else len(places),
                "macs": cost.macs / max(whole.macs, 1),
                "params": cost.params / max(whole.params, 1),
                "cost": block.cost_model.to_json(),
                "inside": sorted(structure.inside(name), key=places.__getitem__),
                "out": name in out,
            }
        )
    return sorted(found, key=lambda block: block["before"])


def _described(group: Group, stage: str) -> dict[str, Any]:
    members: dict[tuple[str, str], None] = {}
    for member in group.members:
        members[HOW[member.role], member.tensor.rpartition(".")[0] or member.tensor] = None
    return {
        "name": group.name,
        "stage": stage,
        "kind": group.kind,
        "size": group.size,
        "units": group.units,
        "unit": group.unit,
        "noun": (noun(group), noun(group, 2)),
        "exact": group.exact,
        "reason": group.reason,
        "why": group.why,
        "members": [{"name": name, "how": how} for how, name in members],
    }


def _times(table: LatencyTable | None, name: str) -> list | None:
    """The group's staircase in units kept, ascending: what it changes alone, in ms, with the interval."""
    if table is None or name not in table.groups:
        return None
    return [
        [timing.kept, *(round(time, DIGITS) for time in (timing.ms, timing.low, timing.high))]
        for timing in table.groups[name]
    ]


def _cliffs(group: Group, latency: Mapping[str, Any] | None) -> list | None:
    """(From units, to fewer, ms, why) as in `LatencyTable.staircase`."""
    if latency is None or group.name not in latency["groups"]:
        return None
    return [
        [cliff["width"] // group.unit, cliff["to"] // group.unit, round(cliff["ms"], DIGITS), cliff["why"]]
        for cliff in latency["groups"][group.name]["cliffs"]
    ]


def _metric(curves: Mapping[str, Any]) -> dict[str, Any]:
    """What the curves are of, as the browser writes it."""
    metric = METRICS[curves["metric"]]
    return {"label": metric.short, "share": metric.share, "higher": metric.higher_is_better}


def latency_in_short(latency: Mapping[str, Any]) -> dict[str, Any]:
    """What `LatencyModel` predicts with, whose it is, and how far off it was."""
    return {
        "base": latency["base_ms"],
        "scale": latency["scale"],
        "overlap": latency["overlap_ms"],
        "alignment": ALIGNMENT,
        "runtime": RUNTIMES[latency["runtime"]],
        "batch": latency["batch"],
        "device": latency["device"],
        "error": latency["error"],
        "checks": len(latency["checks"]),
    }


def _ranked(values: np.ndarray | None) -> dict[str, list | None]:
    """Scores in ascending order, and the unit at each place; ties as `plan_from_budget` breaks them."""
    if values is None:
        return {"scores": None, "order": None}
    order = np.argsort(values, kind="stable")
    return {"scores": np.asarray(values, float)[order].tolist(), "order": order.tolist()}


def _skipped(scores: Scores, name: str, most: int) -> str | None:
    if name not in scores.groups:
        return scores.skipped.get(name, f"it has no {scores.criterion} score")
    return None if most else "it is as small as it may become"


def _range(scores: Scores) -> list[float]:
    """The 1st and 99th percentile of all scores, so that a few extreme units don't wash out the rest."""
    everything = np.concatenate([np.asarray(v, float).ravel() for v in scores.groups.values()] or [np.zeros(0)])
    finite = everything[np.isfinite(everything)]
    return [float(np.percentile(finite, q)) for q in (1, 99)] if finite.size else [0.0, 1.0]
