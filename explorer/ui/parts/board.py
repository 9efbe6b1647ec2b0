"""The board: heatmap, sliders and network in one picture, as a component that answers while a hand still drags.

Python is the truth. A document carries a revision; the browser takes over Python's values only when it changes, and
`accept` drops what was committed against an older one.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import streamlit as st

from explorer import places
from explorer.budget import Target
from explorer.budget.allocation import most_removable
from explorer.budget.latency_table import ALIGNMENT, RUNTIMES, LatencyTable
from explorer.criteria import Scores
from explorer.errors import ExplorerError
from explorer.methods.studies.sensitivity import sparklines
from explorer.structure import Group, Structure
from explorer.structure.links import links
from explorer.tasks import METRICS
from explorer.ui.text.words import stages

ASSETS = places.ASSETS / "board"
MODULES = (
    *("cost", "words", "clock", "lanes", "view", "rows", "measured"),
    *("colours", "paint", "parts", "tools", "row", "hand", "board"),
)
VOLATILE = ("removed", "locked")  # of a group: what a drag changes
HOW = {"producer": "makes", "consumer": "reads", "affine": "follows", "index": "follows"}
DIGITS = 6  # of milliseconds behind the point


class BoardUnavailableError(ExplorerError):
    """The component can't be shown here; the page falls back to native controls."""


@dataclass(frozen=True)
class Commit:
    """What a person did on the board.

    `removed` is the whole plan as counts of lowest-scored units by group; groups that stay whole are absent.
    `inspect` is a (group, unit) that was clicked, in the coordinates of the original model.
    """

    revision: int
    removed: dict[str, int]
    locked: tuple[str, ...]
    selected: str | None
    inspect: tuple[str, int] | None

    def budget(self, structure: Structure) -> dict[str, float]:
        """The fraction of each group's units to remove."""
        return {name: count / structure.groups[name].units for name, count in self.removed.items()}


def board_document(
    structure: Structure,
    scores: Scores,
    budget: Mapping[str, float],
    locked: Collection[str],
    revision: int,
    *,
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
        removed = 0 if values is None else int(group.units * budget.get(name, 0.0) + 1e-9)
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
        "cost": structure.cost_model.to_json(),
        "whole": {"params": whole.params, "macs": whole.macs},
        "links": [[link.source, link.target, link.layer] for link in links(structure)],
        "range": _range(scores),
        "metric": _metric(curves) if curves else None,
        "latency": _latency(latency) if latency else None,
        "target": None if target is None else {"kind": target.kind, "keep": target.keep},
        "revision": revision,
    }


def _described(group: Group, stage: str) -> dict[str, Any]:
    noun = ("channel", "channels") if group.unit == 1 else ("head", "heads") if group.kind == "heads" else None
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
        "noun": noun or (f"unit of {group.unit} channels", f"units of {group.unit} channels"),
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
    return {"label": metric.short, "share": metric.share}


def _latency(latency: Mapping[str, Any]) -> dict[str, Any]:
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


def accept(commit: Any, revision: int, document: Mapping[str, Any]) -> Commit | None:
    """What the browser sent, checked; None where it was made against another revision or does not fit `document`.

    Locked groups are as the commit says; those without scores stay whole whatever it says.
    """
    if not isinstance(commit, Mapping) or commit.get("revision") != revision:
        return None
    groups = {group["name"]: group for group in document["groups"]}
    removed, locked = commit.get("removed"), commit.get("locked")
    if not isinstance(removed, Mapping) or not isinstance(locked, list | tuple):
        return None
    if not all(name in groups and _fits(count, groups[name]) for name, count in removed.items()):
        return None
    selected, inspect = commit.get("selected"), commit.get("inspect")
    return Commit(
        revision,
        {name: count for name, count in removed.items() if count},
        tuple(name for name in groups if name in locked),
        selected if isinstance(selected, str) and selected in groups else None,
        _inspected(inspect, groups),
    )


def _fits(count: Any, group: Mapping[str, Any]) -> bool:
    most = 0 if group["skipped"] else group["units"] - group["minimum"]
    return type(count) is int and 0 <= count <= most


def _inspected(inspect: Any, groups: Mapping[str, Mapping[str, Any]]) -> tuple[str, int] | None:
    if not isinstance(inspect, Mapping) or not isinstance(inspect.get("group"), str):
        return None
    name, unit = inspect["group"], inspect.get("unit")
    known = name in groups and type(unit) is int and 0 <= unit < groups[name]["units"]
    return (name, unit) if known else None


def board(
    document: Mapping[str, Any],
    *,
    key: str,
    height: int = 640,
    on_change: Callable[[Commit], None] | None = None,
) -> Commit | None:
    """Shows the board; gives what a person did in this run, if anything.

    Args:
        document: from `board_document`.
        height: of the whole board in pixels; a network with few groups takes less.
        on_change: called with the commit before the script runs again, so that all of the page follows it.

    Raises:
        BoardUnavailableError: this Streamlit has no components of version 2, or the assets are missing.
    """
    picture, feed = _components()

    def changed() -> None:
        commit = accept(st.session_state[key].commit, document["revision"], document)
        if commit and on_change:
            on_change(commit)

    # Two elements: what is heavy stays the same from run to run, so that Streamlit sends a reference to it, and
    # what a drag changes is small.
    fixed, changing = _split(document)
    with st.container(gap=None):
        result = picture(key=key, data={**fixed, "key": key, "height": height}, on_commit_change=changed)
        feed(key=f"{key} feed", data={**changing, "key": key})
    return accept(result.commit, document["revision"], document)


def _split(document: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What stays while a person drags, its arrays packed, and what changes; both have the former's `id`."""
    fixed = {
        **{name: document[name] for name in ("cost", "whole", "links", "range", "metric", "latency")},
        "groups": [_packed(group) for group in document["groups"]],
    }
    digest = hashlib.sha256(json.dumps(fixed).encode()).hexdigest()
    changing = {name: [group[name] for group in document["groups"]] for name in VOLATILE}
    changing.update({name: document[name] for name in ("target", "revision")}, id=digest)
    return {**fixed, "id": digest}, changing


def _packed(group: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in group.items() if name not in VOLATILE}
    for name, dtype in (("scores", "<f4"), ("order", "<u4"), ("flow", "<f4")):
        if kept[name] is not None:
            kept[name] = base64.b64encode(np.asarray(kept[name], dtype).tobytes()).decode()
    return kept


@cache
def _components() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The picture, and the element that feeds it; registered once.

    Raises:
        BoardUnavailableError: see `board`.
    """
    try:
        component = st.components.v2.component
        css = (ASSETS / "board.css").read_text(encoding="utf-8")
        return component("pruning_board", css=css, js=script()), component("pruning_board_feed", js=_source("feed"))
    except (AttributeError, OSError) as error:
        raise BoardUnavailableError(f"the board can't be shown ({error}): use the sliders below") from error


def script() -> str:
    """The modules of `assets/board` as one, which is what a component may be; each keeps its own scope."""
    *parts, last = MODULES
    return "\n".join([*(_scoped(name) for name in parts), _IMPORT.sub(_destructured, _source(last))])


_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:function|class|const) (\w+))", re.MULTILINE)


def _source(name: str) -> str:
    return (ASSETS / f"{name}.js").read_text(encoding="utf-8")


def _scoped(name: str) -> str:
    body = _IMPORT.sub(_destructured, _source(name))
    exports = ", ".join(found.group(2) for found in _EXPORT.finditer(body))
    body = _EXPORT.sub(lambda found: found.group(1), body)
    return f"const module_{name} = (() => {{\n{body}\nreturn {{ {exports} }};\n}})();"


def _destructured(found: re.Match[str]) -> str:
    return f"const {found.group(1)} = module_{found.group(2)};"
