"""The finished runs that this workspace may look at, by name, with the baselines that belong to them."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import streamlit as st

from explorer.criteria import CRITERIA
from explorer.errors import ExplorerError
from explorer.methods import METHODS, removes
from explorer.methods.spec import Spec
from explorer.runs.history.baselines import BASELINES, baselines
from explorer.runs.history.comparison import GroupWidths, curve, origins
from explorer.runs.history.finished import Finished, read_finished
from explorer.runs.history.lineage import Branch, DamagedRun, RunRecord, read_runs, tree
from explorer.runs.history.overlap import Difference
from explorer.runs.queue.desk import DESK
from explorer.runs.queue.job import Job
from explorer.runs.removing import remove_run
from explorer.tasks import metric_of
from explorer.ui.charts.colours import BEFORE, MUTED, RUNS
from explorer.ui.parts.jobs import PRUNE
from explorer.ui.state import session
from explorer.ui.state.workspace import Workspace

WHOLE = {"macs": 1.0, "params": 1.0}
BASE = "Base model"


@dataclass(frozen=True)
class Shown:
    """A finished run: its place in the tree, what came of it, and from what share of the first model it began.

    `baseline_of` is the name of the run that it is a baseline of, `what` what its point is called in a picture.
    """

    record: RunRecord
    run: Finished
    origin: dict[str, float] = field(default_factory=lambda: dict(WHOLE))
    baseline_of: str | None = None
    what: str = "pruned"

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


def finished(workspace: Workspace) -> tuple[list[Shown], list[Branch]]:
    """The runs of this workspace, and of the whole server where it may be looked at, newest first; and their tree."""
    jobs = [job.id for job in DESK.jobs(workspace.token) if job.state == "done"]
    permitted = session.opener(workspace)
    read = [(record, run) for record, run in _read(str(DESK.root), tuple(jobs))[0] if _allowed(record.ref, permitted)]
    forest = tree([record for record, _ in read])
    starts = origins(forest, {record.id: run for record, run in read})
    placed = [Shown(record, run, starts.get(record.id, WHOLE)) for record, run in read]
    named = zip(placed, _names(placed), strict=True)
    shown = [replace(entry, run=replace(entry.run, name=name)) for entry, name in named]
    return _with_baselines(shown)[::-1], forest


@st.cache_data(max_entries=8, ttl=10, show_spinner="Reading the runs…")
def _read(root: str, jobs: tuple[str, ...]) -> tuple[list[tuple[RunRecord, Finished]], list[DamagedRun]]:
    """Every finished run below a folder, oldest first, and what is damaged there.

    It is read again when a job of this workspace has finished.
    """
    found: list[tuple[RunRecord, Finished]] = []
    damaged: list[DamagedRun] = []
    for record in read_runs(Path(root), damaged.append):
        if record.state == "done":
            with contextlib.suppress(ExplorerError):  # written anew meanwhile
                found.append((record, read_finished(record.folder)))
    return found, damaged


def damaged(workspace: Workspace) -> list[DamagedRun]:
    """The runs that can't be read, as far as this workspace may look at them: on a shared server its own."""
    jobs = [job.id for job in DESK.jobs(workspace.token) if job.state == "done"]
    permitted = session.opener(workspace)
    return [found for found in _read(str(DESK.root), tuple(jobs))[1] if _allowed(f"run:{found.folder}", permitted)]


def remove(run: DamagedRun) -> None:
    """Deletes a damaged run for good.

    Raises:
        ExplorerError: it can't be deleted, or is not certainly ours.
    """
    remove_run(DESK.root, run.name)
    DESK.forget(DESK.root / run.name)
    _read.clear()


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


def _names(placed: Sequence[Shown]) -> list[str]:
    """Method, criterion, what is left and when it was started; a number where that is not enough."""
    names = [_name(entry.record, entry.origin["macs"]) for entry in placed]
    twice, seen = Counter(names), Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(f"{name} ({seen[name]})" if twice[name] > 1 else name)
    return unique


def _name(record: RunRecord, origin: float) -> str:
    """What is left is said in MACs, or in zeros, which leave all of them."""
    method = METHODS[record.method].title if record.method in METHODS else record.method
    criterion = CRITERIA[record.criterion].title if record.criterion in CRITERIA else record.criterion
    by = f"{method} · {criterion}" if criterion else method
    today = time.strftime("%x", time.localtime(record.created)) == time.strftime("%x")
    when = time.strftime("%H:%M" if today else "%d %b %H:%M", time.localtime(record.created))
    left = f"{origin * record.kept['macs']:.0%} MACs" if record.sparsity is None else f"{record.sparsity:.0%} zeros"
    return f"{by} · {left} · {when}"


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
            title = BASELINES[kind].title
            run = replace(entry.run, name=f"{title} for {name}")
            marked.append(replace(entry, run=run, baseline_of=name, what=title.lower()))
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
        owner = entry.baseline_of or entry.name
        for point in curve(entry.run):
            at = {kind: entry.origin[kind] * getattr(point, kind) for kind in WHOLE}
            at["nonzero"] = entry.origin["params"] * point.nonzero
            if point.value is None:
                continue
            if point.split == "validation":
                if not point.rolled_back:
                    trajectories.append({"run": owner, "step": point.step, **at, "value": point.value})
                continue
            low, high = (point.value if side is None else side for side in (point.low, point.high))
            end = {**at, "value": point.value, "low": low, "high": high}
            if point.step is None:
                finals[entry.name, "end"] = {"run": owner, "what": entry.what, **end}
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


def of_one_metric(chosen: Sequence[Shown]) -> tuple[list[Shown], list[Shown]]:
    """The runs judged as the first of them is, and the others, which don't belong into one picture."""
    first = metric_of(chosen[0].run.result["base"])
    same = [entry for entry in chosen if metric_of(entry.run.result["base"]) == first]
    return same, [entry for entry in chosen if entry not in same]


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
    one, other = colours.get(first, RUNS[0]), colours.get(second, RUNS[1])
    if one == other:  # a run beside its own baseline
        other = next(colour for colour in RUNS if colour != one)
    shades = (one, MUTED, other)
    return pd.DataFrame(rows), dict(zip(names.values(), shades, strict=True))


def colours_of(chosen: Sequence[Shown]) -> dict[str, str]:
    """A colour for each run that was chosen; a baseline has that of its run."""
    owners = dict.fromkeys(entry.name for entry in chosen if entry.baseline_of is None)
    found = {BASE: BEFORE} | {name: RUNS[place % len(RUNS)] for place, name in enumerate(owners)}
    return found | {entry.name: found[entry.baseline_of] for entry in chosen if entry.baseline_of in found}


def tree_frames(forest: Sequence[Branch], shown: Sequence[Shown]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tree as `charts.comparison.family` takes it; baselines are left out."""
    by_id = {entry.record.id: entry for entry in shown if entry.baseline_of is None}
    nodes, ties = [], []

    def visit(branch: Branch, parent: int | None) -> None:
        entry = by_id.get(branch.run.id)
        if entry is None:
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
