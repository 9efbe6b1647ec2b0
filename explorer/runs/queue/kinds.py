"""The kinds of jobs that a worker can do, each a thin call of the engine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from explorer.budget import ALLOCATORS
from explorer.criteria import CRITERIA
from explorer.errors import ExplorerError, unknown
from explorer.files import write_json
from explorer.methods.checking import check
from explorer.methods.spec import Spec
from explorer.progress import Report
from explorer.recovery import RECOVERIES
from explorer.registry import Entry, Registry
from explorer.runs.queue.job import AGREEMENT, BUNDLE, SCORES
from explorer.sealed import sealed


def always(spec: Spec) -> bool:
    return True


def never(spec: Spec) -> bool:
    return False


def _scores_at_once(spec: Spec) -> bool:
    """Whether the spec's criterion looks at all units in the same passes."""
    return not CRITERIA[spec.criterion].forwards_per_unit


def _recovers_at_once(spec: Spec) -> bool:
    return not RECOVERIES[spec.recover].trains


def _shares_at_once(spec: Spec) -> bool:
    """Whether nothing is timed, and nothing measured group by group, before the targets can be shared out."""
    timed = any(target.kind == "latency" for target in spec.targets())
    return _scores_at_once(spec) and not timed and not ALLOCATORS[spec.allocate].needs & {"curves", "latency"}


@dataclass(frozen=True, kw_only=True)
class JobKind(Entry):
    """A kind of job: ``{"kind": name, "spec": {…}, **extra}``; `function(spec, request, folder, report)` does it.

    Args:
        removes: whether the spec must say what goes.
        short: whether a spec's job only looks at a network as it is, in seconds for a small one: then it is done beside
            the long work of its device instead of behind it. What trains, measures unit by unit or times is long, as is
            what goes through a whole test part, whose size a request does not tell.
        extra: the request's further keys.
    """

    removes: bool = False
    short: Callable[[Spec], bool] = never
    extra: tuple[str, ...] = ()

    def check(self, request: Mapping[str, Any], *, here: bool = True) -> Spec:
        """The request's spec; its device need not be present where the work is done elsewhere than `here`.

        Raises:
            ExplorerError: the request has unknown keys, or its spec is wrong.
        """
        for key in request:
            if key not in ("kind", "spec", *self.extra):
                raise ExplorerError(f"a job of kind {self.name!r} has no {key!r}: leave it out")
        spec = Spec.from_json(request.get("spec"))
        check(spec if here else replace(spec, device="auto"), removes=self.removes)
        return spec

    def __call__(self, request: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
        """Does the job that a request asks for; its files go into the folder, its small result is given back."""
        return self.function(self.check(request), request, folder, report)


JOBS: Registry[JobKind] = Registry("kind of job", JobKind)


def is_short(request: Mapping[str, Any]) -> bool:
    """Whether the job that a request asks for is short; one that another version has asked for may be unknown: long."""
    try:
        return JOBS.get(str(request.get("kind"))).short(Spec.from_json(request.get("spec")))
    except ExplorerError:
        return False


@JOBS.register(
    "prune", title="Prune", explanation="Cuts the network as the spec says and writes its bundle.", removes=True
)
def prune_job(spec: Spec, request: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    from explorer.runs.execute import execute
    from explorer.runs.history.tracking import default_tracker

    id = folder.name.rpartition("-")[2]  # of the job: its run is known by the same
    tracker = default_tracker(folder.parent)
    return execute(spec, folder / BUNDLE, report, resume=True, tracker=tracker, id=id).to_json()


@JOBS.register(
    "score",
    title="Score the channels",
    explanation="Gives every channel a score by the spec's criterion.",
    short=_scores_at_once,
)
def score_job(spec: Spec, request: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    from explorer.runs.verbs import score_model

    document = score_model(spec, report).to_json()
    write_json(folder / SCORES, sealed(document))
    summary = {key: document[key] for key in ("criterion", "seconds", "skipped")}
    return {**summary, "file": str(folder / SCORES)}


@JOBS.register("evaluate", title="Evaluate", explanation="Measures the model on test data.")
def evaluate_job(spec: Spec, request: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    from explorer.runs.verbs import evaluate_model

    return evaluate_model(spec, report).to_json()


@JOBS.register(
    "readings",
    title="Try other readings",
    explanation="Reads pictures and classes in other usual ways.",
    short=always,
)
def readings_job(spec: Spec, request: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    from explorer.methods.studies.readings import readings

    return readings(spec, report).to_json()


@JOBS.register(
    "ladder",
    title="Try the plan",
    explanation="Cuts as the spec says and recovers, without keeping the model.",
    removes=True,
    short=_recovers_at_once,
)
def ladder_job(spec: Spec, request: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    """The one recovery stage that takes long; a page finds those below it by itself."""
    from explorer.methods.studies.ladder import ladder
    from explorer.methods.studies.recovery_stages import RECOVERY_STAGES

    if spec.recover not in RECOVERY_STAGES:
        raise unknown("recovery stage", spec.recover, RECOVERY_STAGES)
    return ladder(spec, (spec.recover,), report).to_json()


@JOBS.register(
    "sensitivity",
    title="Measure the sensitivity",
    explanation="Measures what cutting one group after the other costs.",
    extra=("ratios",),
)
def sensitivity_job(spec: Spec, request: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    from explorer.runs.verbs import sensitivity_of

    return sensitivity_of(spec, request.get("ratios"), report).to_json()


@JOBS.register(
    "budget",
    title="Share out a target",
    explanation="Shares what has to go out among the groups.",
    removes=True,
    short=_shares_at_once,
    extra=("held",),
)
def budget_job(spec: Spec, request: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    from explorer.methods.tools.budgeting import budget_of

    return budget_of(spec, report, request.get("held") or {}).to_json()


@JOBS.register(
    "search",
    title="Find the best plan",
    explanation="Finds the plan that loses least once it is repaired, for a path of targets.",
    extra=("targets", "cost", "held"),
)
def search_job(spec: Spec, request: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    from explorer.methods.studies.best_plan import search
    from explorer.methods.studies.ways import TARGETS

    asked = {"cost": request.get("cost", "macs"), "held": request.get("held") or {}}
    return search(spec, request.get("targets") or TARGETS, **asked, report=report).to_json()


@JOBS.register("latency", title="Time the groups", explanation="Times every group at several widths.")
def latency_job(spec: Spec, request: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    from explorer.methods.studies.latency_profile import latency_of

    settings = {"runtime": spec.runtime, "batch": spec.batch, "device": spec.device}
    return latency_of(spec.model, spec.input_shape, **settings, report=report).to_json()


@JOBS.register(
    "agreement",
    title="Compare criteria",
    explanation="Compares the rankings of several criteria.",
    extra=("criteria", "oracle"),
)
def agreement_job(spec: Spec, request: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    from explorer.methods.studies.agreement import agreement

    document = agreement(spec, request["criteria"], report, oracle=request.get("oracle", False)).to_json()
    write_json(folder / AGREEMENT, sealed(document))
    summary = {key: document[key] for key in ("criteria", "seconds", "overall")}
    return {**summary, "file": str(folder / AGREEMENT)}
