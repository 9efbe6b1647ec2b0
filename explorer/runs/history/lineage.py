"""The runs in a folder, and the tree that they form: a run may start from another one or from any kept step of it."""

import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from explorer.documents import checked
from explorer.errors import ExplorerError, one_line
from explorer.export.layout import PLAN, REPORT, STEPS, WEIGHTS
from explorer.methods import criterion_of
from explorer.reading import DamagedError, read_object
from explorer.runs.documents import Asked, Report, read_plan
from explorer.runs.folders import PARTIAL, SPEC
from explorer.runs.identity import Origin, Parent, folder_of, parent_of
from explorer.runs.labels import home_of, label_of
from explorer.runs.queue.job import BUNDLE, FILE, Job
from explorer.sealed import read_sealed
from explorer.tasks import headline, metric_of

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunRecord:
    """A run as its folder tells it.

    `ref` loads the pruned model, `criterion` is empty where nothing was removed. `parent` is the ref of the run or step
    that it started from, as it was given, with the parent's `parent_id` and `parent_step` where they are known; None
    for a model that is no run. `state` is "done", else what the app says, or "unfinished" for a run of the command
    line. `created` is in seconds since the epoch.
    `base` and `pruned` are the `metric` on the test split, None where it means nothing, `low` and `high` the 95 %
    interval of `pruned`; `kept` the fractions of params and MACs that are left, `sparsity` the share of weights that
    are zero, None where channels were cut. `steps` are the report's, those that were kept with their `ref`.
    `name`, `colour` and `notes` are those of its label, see `explorer.runs.labels`; `owner` is the workspace of the app
    that it belongs to, empty where it was made on the command line.
    """

    id: str
    folder: Path
    ref: str
    title: str
    model: str
    data: str
    method: str
    criterion: str
    recovery: str
    state: str
    created: float
    parent: str | None = None
    parent_id: str | None = None
    parent_step: int | None = None
    metric: str = "top1"
    base: float | None = None
    pruned: float | None = None
    low: float | None = None
    high: float | None = None
    kept: dict[str, float] = field(default_factory=dict)
    sparsity: float | None = None
    steps: tuple[dict[str, Any], ...] = ()
    name: str = ""
    colour: str = ""
    notes: str = ""
    owner: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, every field present but the owner, by which a workspace is opened."""
        document = asdict(self) | {"folder": str(self.folder), "steps": list(self.steps)}
        del document["owner"]
        return document


@dataclass(frozen=True)
class Branch:
    """A run in the tree with the runs that started from it, oldest first; a child's `run.parent_step` says where."""

    run: RunRecord
    children: tuple["Branch", ...] = ()

    def to_json(self) -> dict[str, Any]:
        """``{id, ref, step, children}``; `step` is the parent's that the run started from, None for its end."""
        children = [child.to_json() for child in self.children]
        return {"id": self.run.id, "ref": self.run.ref, "step": self.run.parent_step, "children": children}


@dataclass(frozen=True)
class DamagedRun:
    """A run whose files can't be read, with the reason in a line; `name` is its folder's among those of the runs."""

    name: str
    folder: Path
    reason: str

    def to_json(self) -> dict[str, str]:
        """Every field by its name."""
        return asdict(self) | {"folder": str(self.folder)}


def _log(found: DamagedRun) -> None:
    _LOG.warning("the run in %s can't be read and is left out: %s", found.folder, found.reason)


def read_runs(root: Path, damaged: Callable[[DamagedRun], None] = _log) -> list[RunRecord]:
    """All prune runs under a folder, oldest first: finished ones by their report, others by what they left.

    `damaged` is told of every run that can't be read; it is left out.
    """
    records = []
    for folder, names in _folders(root):
        try:
            records += _runs_in(folder, names)
        except (OSError, ExplorerError) as error:
            damaged(DamagedRun((folder.relative_to(root).parts or (".",))[0], folder, one_line(error)))
    return sorted(records, key=_age)


def _runs_in(folder: Path, names: Collection[str]) -> list[RunRecord]:
    """The run that a folder holds, if it does; `names` are those of all that lies in it."""
    if FILE in names:
        return _unfinished_job(folder)
    if {REPORT, WEIGHTS} <= set(names):
        report = read_object(folder / REPORT)
        of_a_run = "spec" in report or "change" not in report  # else the Python interface has saved a network
        return [_finished(folder, checked(report, Report, folder / REPORT))] if of_a_run else []
    if SPEC in names and folder.name.endswith(PARTIAL) and not os.path.lexists(folder.parent / FILE):
        return [_interrupted(folder)]
    return []


def tree(records: Sequence[RunRecord]) -> list[Branch]:
    """The runs as a forest, oldest first: its roots are those that started from no run that is here.

    A parent is known by its id, in reports of earlier versions by its folder, and never began after its child: a folder
    that was written anew since holds another run.
    """
    records = sorted(records, key=_age)
    by_id: dict[str, int] = {}
    by_folder: dict[Path, int] = {}
    below: list[list[int]] = [[] for _ in records]
    roots = []
    for index, record in enumerate(records):
        known = by_id.get(record.parent_id) if record.parent_id else by_folder.get(_run_folder(record.parent))
        (roots if known is None else below[known]).append(index)
        by_id[record.id] = by_folder[record.folder.absolute()] = index

    def branch(index: int) -> Branch:
        return Branch(records[index], tuple(map(branch, below[index])))

    return list(map(branch, roots))


def _age(record: RunRecord) -> tuple[float, str]:
    return record.created, str(record.folder)


def _folders(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every folder that may hold a run, with the names of what lies in it; kept steps are part of theirs."""
    for folder, below, files in os.walk(root):
        names = [*below, *files]
        below[:] = sorted(name for name in below if name != STEPS and not name.startswith("."))
        yield Path(folder), names


def _finished(folder: Path, report: Mapping[str, Any]) -> RunRecord:
    if os.path.lexists(folder / PLAN):
        read_plan(folder / PLAN, report)
    if not (folder / WEIGHTS).is_file():
        raise DamagedError(f"{str(folder / WEIGHTS)!r} is no ordinary file")
    spec, base, pruned = report["spec"], headline(report["base"]), headline(report["pruned"])
    parent = _parent(report, spec["model"])
    id = report.get("id") or str(folder)
    return RunRecord(
        id=id,
        folder=folder,
        **_labelled(folder, id),
        owner=_owner(folder),
        ref=f"run:{folder}",
        title=report.get("title") or f"{spec['model']}, pruned",
        **_asked(spec),
        state="done",
        created=report.get("created") or (folder / REPORT).stat().st_mtime,
        parent=parent and parent.ref,
        parent_id=parent and parent.id,
        parent_step=parent and parent.step,
        metric=metric_of(report["base"]).name,
        base=base and base.value,
        pruned=pruned and pruned.value,
        low=pruned and pruned.low,
        high=pruned and pruned.high,
        kept={kind: float(report["achieved"][kind]) for kind in ("params", "macs")},
        sparsity=float(report["sparse"]["sparsity"]) if report.get("sparse") else None,
        steps=tuple(_step(folder, step) for step in report.get("steps") or ()),
    )


def _unfinished_job(folder: Path) -> list[RunRecord]:
    """The app's run that has written no bundle (yet)."""
    job = Job.load(folder)
    if job.kind != "prune" or os.path.lexists(folder / BUNDLE / REPORT):
        return []
    spec = job.request["spec"]
    return [_without_result(folder / BUNDLE, job.id, job.title, spec, job.state, job.created, job.owner)]


def _interrupted(folder: Path) -> RunRecord:
    """The command line's run that has left finished steps."""
    spec = checked(read_object(folder / SPEC), Asked, folder / SPEC)
    origin = Origin.of(spec["model"], folder)
    out, title = folder.with_name(folder.name.removesuffix(PARTIAL)), f"{spec['model']}, pruned"
    return _without_result(out, origin.id, title, spec, "unfinished", origin.created)


def _without_result(
    folder: Path, id: str, title: str, spec: Mapping[str, Any], state: str, created: float, owner: str = ""
) -> RunRecord:
    parent = parent_of(spec["model"])
    return RunRecord(
        id=id,
        folder=folder,
        ref=f"run:{folder}",
        **_labelled(folder, id),
        owner=owner,
        title=title,
        **_asked(spec),
        state=state,
        created=created,
        parent=parent and parent.ref,
        parent_id=parent and parent.id,
        parent_step=parent and parent.step,
    )


def _labelled(folder: Path, id: str) -> dict[str, str]:
    return asdict(label_of(folder, id))


def _owner(bundle: Path) -> str:
    """The workspace that a bundle's run belongs to; empty of one of the command line, and where that is damaged.

    The damage is told by what is read of the job itself.
    """
    try:
        owner = read_sealed(bundle.parent / FILE).get("owner") if home_of(bundle) != bundle else ""
    except (OSError, ExplorerError):
        return ""
    return owner if isinstance(owner, str) else ""


def _asked(spec: Mapping[str, Any]) -> dict[str, str]:
    names = {"model": "model", "data": "data", "method": "method", "recovery": "recover"}
    return {**{name: str(spec[key]) for name, key in names.items()}, "criterion": criterion_of(spec)}


def _step(folder: Path, step: Mapping[str, Any]) -> dict[str, Any]:
    return {**step, "ref": f"run:{folder / step['folder']}"} if step.get("folder") else dict(step)


def _parent(report: Mapping[str, Any], model: str) -> Parent | None:
    """The parent that a report names; those of earlier versions name only the model."""
    if report.get("parent"):
        return Parent.from_json(report["parent"])
    return Parent(model) if model.startswith("run:") else None


def _run_folder(ref: str | None) -> Path | None:
    """The folder of the run that a ref names, or whose step it names."""
    if ref is None:
        return None
    folder = folder_of(ref)
    return folder.parents[1] if folder.parent.name == STEPS else folder
