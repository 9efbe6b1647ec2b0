"""The kinds of jobs that a worker can do, each a thin call of the engine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError, unknown
from explorer.files import write_json
from explorer.methods.checking import check
from explorer.methods.spec import Spec
from explorer.progress import Report
from explorer.runs.queue.job import BUNDLE

Work = Callable[[Spec, Mapping[str, Any], Path, Report], dict[str, Any]]


@dataclass(frozen=True)
class Kind:
    """A kind of job: ``{"kind": name, "spec": {…}, **extra}``.

    `extra` names the request's further keys; `removes` says whether the spec must say what goes.
    """

    name: str
    title: str
    work: Work
    removes: bool = False
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
        return self.work(self.check(request), request, folder, report)


def _prune(spec: Spec, request: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    from explorer.runs.execute import execute
    from explorer.runs.history.tracking import default_tracker

    return execute(spec, folder / BUNDLE, report, resume=True, tracker=default_tracker(folder.parent))


def _score(spec: Spec, request: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    from explorer.runs.execute import score_model

    document = score_model(spec, report)
    write_json(folder / "scores.json", document)
    summary = {key: document[key] for key in ("criterion", "seconds", "skipped")}
    return {**summary, "file": str(folder / "scores.json")}


def _evaluate(spec: Spec, request: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    from explorer.runs.execute import evaluate_model

    return evaluate_model(spec, report)


def _ladder(spec: Spec, request: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    """The one rung that takes long; a page finds those below it by itself."""
    from explorer.methods.studies.ladder import ladder
    from explorer.methods.studies.recovery_stages import RECOVERY_STAGES

    if spec.recover not in RECOVERY_STAGES:
        raise unknown("rung", spec.recover, RECOVERY_STAGES)
    return ladder(spec, (spec.recover,), report).to_json()


def _sensitivity(spec: Spec, request: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    from explorer.runs.execute import sensitivity_of

    return sensitivity_of(spec, request.get("ratios"), report)


def _budget(spec: Spec, request: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    from explorer.methods.tools.budgeting import budget_of

    return budget_of(spec, report, request.get("held") or {}).to_json()


def _latency(spec: Spec, request: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    from explorer.methods.studies.latency_profile import latency_of

    settings = {"runtime": spec.runtime, "batch": spec.batch, "device": spec.device}
    return latency_of(spec.model, spec.input_shape, **settings, report=report).to_json()


def _agreement(spec: Spec, request: Mapping[str, Any], folder: Path, report: Report) -> dict[str, Any]:
    from explorer.methods.studies.agreement import agreement

    document = agreement(spec, request["criteria"], report, oracle=request.get("oracle", False)).to_json()
    write_json(folder / "agreement.json", document)
    summary = {key: document[key] for key in ("criteria", "seconds", "overall")}
    return {**summary, "file": str(folder / "agreement.json")}


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("prune", "Prune", _prune, removes=True),
        Kind("score", "Score the channels", _score),
        Kind("evaluate", "Evaluate", _evaluate),
        Kind("ladder", "Try the plan", _ladder, removes=True),
        Kind("sensitivity", "Measure the sensitivity", _sensitivity, extra=("ratios",)),
        Kind("budget", "Share out a target", _budget, removes=True, extra=("held",)),
        Kind("latency", "Time the groups", _latency),
        Kind("agreement", "Compare criteria", _agreement, extra=("criteria", "oracle")),
    )
}
