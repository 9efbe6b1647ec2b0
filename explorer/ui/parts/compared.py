"""The finished runs that this workspace may look at, by name, with the baselines that belong to them."""

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import streamlit as st

from explorer.errors import ExplorerError
from explorer.methods import METHODS, removes
from explorer.methods.spec import Spec
from explorer.runs.history.baselines import BASELINES, baselines
from explorer.runs.history.comparison import GroupWidths, curve, origins
from explorer.runs.history.facets import Facet, facets
from explorer.runs.history.finished import Finished, read_finished
from explorer.runs.history.lineage import Branch, DamagedRun, RunRecord, read_runs, tree
from explorer.runs.history.networks import networks
from explorer.runs.history.overlap import Difference
from explorer.runs.labels import home_of, relabel
from explorer.runs.queue.desk import DESK
from explorer.runs.queue.job import Job
from explorer.runs.removing import remove, remove_run
from explorer.ui.charts.colours import BEFORE, MUTED, RUNS
from explorer.ui.parts.jobs import PRUNE
from explorer.ui.state import session
from explorer.ui.state.workspace import Workspace

WHOLE = {"macs": 1.0, "params": 1.0}
BASE = "Base model"


@dataclass(frozen=True)
class Shown:
    """A finished run: its place in the tree, what came of it, and from what share of the first model it began.

    `baseline_of` is the name of the run that it is a baseline of, `what` what its point is called in a picture; `own`
    says whether it is this workspace's, which alone may rename or delete it.
    """

    record: RunRecord
    run: Finished
    origin: dict[str, float] = field(default_factory=lambda: dict(WHOLE))
    baseline_of: str | None = None
    what: str = "pruned"
    own: bool = True

    @property
    def name(self) -> str:
        return self.run.name

    @property
    def cut_channels(self) -> bool:
        """Whether it removed channels, which is what the board shows."""
        return not self.run.sparse and removes(self.record.method)

    @property
    def spec(self) -> Spec:
        return Spec.from_json(self.run.spec)


@dataclass(frozen=True)
class Found:
    """What lies below a folder of runs: finished ones, oldest first, others, and what is damaged."""

    finished: list[tuple[RunRecord, Finished]]
    unfinished: list[RunRecord]
    damaged: list[DamagedRun]


def finished(workspace: Workspace, *, everyone: bool = False) -> tuple[list[Shown], list[Branch]]:
    """The finished runs of this workspace, newest first, and their tree.

    Args:
        everyone: those of others, too, as far as it may look at them.
    """
    mine = owns(workspace)
    permitted = session.opener(workspace)
    read = [(record, run) for record, run in _found(workspace).finished if _allowed(record.ref, permitted)]
    forest = tree([record for record, _ in read])  # of all: one's own run may have started from somebody else's
    starts, whole = origins(forest, {record.id: run for record, run in read}), networks(forest)
    wanted = [(record, run) for record, run in read if everyone or mine(record)]
    names = _names([record for record, _ in wanted])
    shown = [
        Shown(record, replace(run, name=name, whole=whole[record.id]), starts.get(record.id, WHOLE), own=mine(record))
        for (record, run), name in zip(wanted, names, strict=True)
    ]
    return _with_baselines(shown)[::-1], forest


def unfinished(workspace: Workspace, *, everyone: bool = False) -> list[RunRecord]:
    """The runs that wait, go on or have ended early, newest first; see `finished`."""
    mine, permitted = owns(workspace), session.opener(workspace)
    found = [
        record
        for record in _found(workspace).unfinished
        if (everyone or mine(record)) and _allowed(record.ref, permitted)
    ]
    return found[::-1]


def others(workspace: Workspace) -> int:
    """How many runs of others this workspace may look at."""
    found, mine, permitted = _found(workspace), owns(workspace), session.opener(workspace)
    records = [*(record for record, _ in found.finished), *found.unfinished]
    return sum(not mine(record) and _allowed(record.ref, permitted) for record in records)


def forget() -> None:
    """Lets all be read again: a run was renamed or deleted."""
    _read.clear()


def owns(workspace: Workspace) -> Callable[[RunRecord], bool]:
    """Which runs are a workspace's: those it started, and of a server for this machine alone the command line's."""
    alone = session.alone()
    return lambda record: record.owner == workspace.token or (alone and not record.owner)


def _found(workspace: Workspace) -> Found:
    """All runs, read again when one of this workspace is in another state."""
    states = tuple((job.id, job.state) for job in DESK.jobs(workspace.token) if job.kind == PRUNE)
    return _read(str(DESK.root), states)


@st.cache_data(max_entries=8, ttl=10, show_spinner="Reading the runs…")
def _read(root: str, states: tuple[tuple[str, str], ...]) -> Found:
    found = Found([], [], [])
    for record in read_runs(Path(root), found.damaged.append):
        if record.state != "done":
            found.unfinished.append(record)
            continue
        with contextlib.suppress(ExplorerError):  # written anew meanwhile
            found.finished.append((record, read_finished(record.folder)))
    return found


def damaged(workspace: Workspace) -> list[DamagedRun]:
    """The runs that can't be read, as far as this workspace may look at them: on a shared server its own."""
    permitted = session.opener(workspace)
    return [found for found in _found(workspace).damaged if _allowed(f"run:{found.folder}", permitted)]


def remove_damaged(run: DamagedRun) -> None:
    """Deletes a damaged run for good.

    Raises:
        ExplorerError: it can't be deleted, or is not certainly ours.
    """
    remove_run(DESK.root, run.name)
    DESK.forget(DESK.root / run.name)
    forget()


def remove_one(workspace: Workspace, record: RunRecord) -> None:
    """Deletes a run of this workspace for good.

    Raises:
        ExplorerError: it is somebody else's, is needed, or is not certainly ours.
    """
    if not owns(workspace)(record):
        raise ExplorerError(f"{record.name} is somebody else's: only its owner deletes it")
    found = _found(workspace)
    for folder in remove([record], [*(other for other, _ in found.finished), *found.unfinished]):
        DESK.forget(folder)
    forget()


def relabel_one(workspace: Workspace, record: RunRecord, name: str, colour: str, notes: str) -> None:
    """Gives a run of this workspace another label.

    Raises:
        ExplorerError: it is somebody else's, or see `explorer.runs.labels.relabel`.
    """
    if not owns(workspace)(record):
        raise ExplorerError(f"{record.name} is somebody else's: only its owner names it")
    relabel(record.folder, record.id, name=name, colour=colour, notes=notes)
    forget()


def under_way(workspace: Workspace) -> list[Job]:
    """The runs of this workspace that wait or go on, the oldest first."""
    return [job for job in DESK.jobs(workspace.token) if job.kind == PRUNE and not job.final][::-1]


def job_id(record: RunRecord) -> str | None:
    """The id of the job that made a run, which reports of earlier versions do not tell; None without a job."""
    home = home_of(record.folder)
    return None if home == record.folder else home.name.rpartition("-")[2]


def job_of(record: RunRecord) -> Job | None:
    """The job of a run of the app that has no result yet; None where the desk does not know it."""
    with contextlib.suppress(ExplorerError):
        return DESK.job(record.id)
    return None


def sparse_under_way(workspace: Workspace) -> list[Job]:
    """The runs of this workspace that set weights to zero and have not ended well, newest first."""
    return [
        job
        for job in DESK.jobs(workspace.token)
        if job.kind == PRUNE and METHODS[job.request["spec"]["method"]].sparse and job.state != "done"
    ]


def _allowed(ref: str, permitted: Callable[[str], str]) -> bool:
    try:
        return bool(permitted(ref))
    except ExplorerError:
        return False


def _names(records: Sequence[RunRecord]) -> list[str]:
    """The names of runs, with a number where two are called alike."""
    twice, seen = Counter(record.name for record in records), Counter()
    unique = []
    for record in records:
        seen[record.name] += 1
        unique.append(f"{record.name} ({seen[record.name]})" if twice[record.name] > 1 else record.name)
    return unique


def _with_baselines(shown: Sequence[Shown]) -> list[Shown]:
    """The runs, those marked that are a baseline of another one."""
    wanted = {}
    for entry in shown:
        for kind, spec in specs_of(entry).items():
            wanted.setdefault(spec.digest(), (entry.name, kind))
    marked = []
    for entry in shown:
        name, kind = wanted.get(_digest(entry), (None, None))
        if name is None or name == entry.name:
            marked.append(entry)
        else:
            marked.append(replace(entry, baseline_of=name, what=BASELINES[kind].title.lower()))
    return marked


def specs_of(entry: Shown) -> dict[str, Spec]:
    """The baselines of a run; none of one that another version has made, or that is as simple itself."""
    try:
        spec = entry.spec
        return {} if spec.criterion == "random" else baselines(spec, entry.run.result)
    except (ExplorerError, KeyError):
        return {}


def missing(entry: Shown, shown: Sequence[Shown]) -> dict[str, Spec]:
    """The baselines of a run that have not been made."""
    there = {_digest(other) for other in shown}
    return {kind: spec for kind, spec in specs_of(entry).items() if spec.digest() not in there}


def _digest(entry: Shown) -> str | None:
    """None where another version has made the run, with fields that this one does not know."""
    try:
        return entry.spec.digest()
    except ExplorerError:
        return None


def frames(chosen: Sequence[Shown]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The measured ends and the validated steps of runs of one metric, as `charts.comparison.tradeoff` takes them.

    Beside macs and params they have `nonzero`, the share of the first model's parameters that are there and not zero.
    """
    finals, trajectories = {}, []
    for entry in chosen:
        for point in curve(entry.run):
            at = {kind: entry.origin[kind] * getattr(point, kind) for kind in WHOLE}
            at["nonzero"] = entry.origin["params"] * point.nonzero
            if point.value is None:
                continue
            if point.split == "validation":
                if not point.rolled_back:
                    trajectories.append({"run": entry.name, "step": point.step, **at, "value": point.value})
                continue
            low, high = (point.value if side is None else side for side in (point.low, point.high))
            end = {**at, "value": point.value, "low": low, "high": high}
            if point.step is None:
                finals[entry.name, "end"] = {"run": entry.name, "what": entry.what, **end}
            elif entry.origin == WHOLE:
                finals[BASE, entry.run.spec["model"]] = {"run": BASE, "what": "base model", **end}
    order = sorted(finals.values(), key=lambda row: row["run"] != BASE)
    columns = ["run", "step", *WHOLE, "nonzero", "value"]
    return pd.DataFrame(order), pd.DataFrame(trajectories, columns=columns)


def named(shown: Sequence[Shown], name: str) -> Shown:
    """The run of that name."""
    return next(entry for entry in shown if entry.name == name)


def cutting(chosen: Sequence[Shown]) -> list[Shown]:
    """The runs that cut channels; the others set single weights to zero, which leaves every width as it was."""
    return [entry for entry in chosen if not entry.run.sparse]


def with_baselines(chosen: Sequence[Shown], shown: Sequence[Shown]) -> list[Shown]:
    """The chosen runs, and those of all that are shown which are a baseline of one of them."""
    names = {entry.name for entry in chosen}
    return [entry for entry in shown if entry.name in names or entry.baseline_of in names]


def by_facet(chosen: Sequence[Shown]) -> list[tuple[Facet, list[Shown]]]:
    """The runs of each facet: only these belong on the same axes."""
    by_name = {entry.name: entry for entry in chosen}
    return [(facet, [by_name[name] for name in facet.runs]) for facet in facets([entry.run for entry in chosen])]


def widths_frame(groups: Sequence[GroupWidths]) -> pd.DataFrame:
    """The groups of a comparison, a row per run, as `charts.comparison.widths` takes them."""
    return pd.DataFrame(
        {"group": group.name, "run": run, "kept": kept, "size": group.size, "share": kept / group.size}
        for group in groups
        for run, kept in group.kept.items()
    )


def units_frame(difference: Difference, colours: Mapping[str, str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """The units of two plans, and the colours of who removes them, as `charts.comparison.shared_units` takes them."""
    first, second = difference.runs
    names = {"first": f"only {first}", "both": "both", "second": f"only {second}"}
    rows = [
        {"group": group.name, "who": name, "units": getattr(group, key)}
        for group in difference.groups
        for key, name in names.items()
    ]
    one, other = colours[first], colours[second]
    if one == other:  # two runs of the same colour
        other = next(colour for colour in RUNS.values() if colour != one)
    shades = (one, MUTED, other)
    return pd.DataFrame(rows), dict(zip(names.values(), shades, strict=True))


def colours_of(shown: Sequence[Shown]) -> dict[str, str]:
    """The colour of each run, the same in every picture, and that of base models."""
    return {BASE: BEFORE} | {entry.name: RUNS[entry.record.colour] for entry in shown}


def tree_frames(forest: Sequence[Branch], shown: Sequence[Shown]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tree as `charts.comparison.family` takes it; baselines are left out."""
    by_id = {entry.record.id: entry for entry in shown if entry.baseline_of is None}
    nodes, ties = [], []

    def visit(branch: Branch, parent: int | None) -> None:
        entry = by_id.get(branch.run.id)
        if entry is None:  # somebody else's, or a baseline: what started from it stands by itself
            for child in branch.children:
                visit(child, None)
            return
        row = len({node["row"] for node in nodes})
        points = [point for point in curve(entry.run) if not point.rolled_back]
        for point in points:
            step = -1 if point.step is None else point.step
            said = {0: "where it began", -1: "the end"}.get(step, f"step {step}")
            nodes.append(
                {
                    "row": row,
                    "run": entry.name,
                    "step": step,
                    "macs": entry.origin["macs"] * point.macs,
                    "said": said,
                }
            )
        if parent is not None:
            ties.append({"row": row, "from": parent, "macs": entry.origin["macs"]})
        for child in branch.children:
            visit(child, row)

    for root in forest:
        visit(root, None)
    return pd.DataFrame(nodes), pd.DataFrame(ties, columns=["row", "from", "macs"])
