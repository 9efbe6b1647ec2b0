"""The history of prune runs in MLflow: a local database by default, a team's server where one is set."""

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from explorer.methods import criterion_of
from explorer.methods.spec import Spec
from explorer.methods.tools.stages import Memo, Record
from explorer.progress import Report
from explorer.runs.folders import default_root
from explorer.runs.identity import Origin
from explorer.runs.result import RunResult
from explorer.tasks import METRICS

DATABASE, ARTIFACTS = "mlflow.db", "mlflow-artifacts"
EXPERIMENT = "pruning-explorer"
FILES = ("plan.json", "report.json", "model.onnx")
RUN_TAG = "explorer.run"  # holds the id of `Origin`: a run that goes on finds its own history by it
SWITCH = "EXPLORER_TRACK"
_PARENT_TAG = "explorer.parent"
_MOST_PARAMS, _MOST_METRICS = 100, 1000  # that MLflow takes at once
_SETTINGS = {  # read when mlflow is imported; what a person has set stays
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",  # it announces every table that it makes
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # its own patience with a server that is down is minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


class Tracker:
    """What is told about a run as it goes; this one keeps nothing. Whatever becomes of a store, none of it raises."""

    def begin(self, spec: Spec, origin: Origin, tags: Mapping[str, Any], *, resumed: bool) -> None:
        """The run starts, or goes on where it had been interrupted."""

    def watching(self, report: Report) -> Report:
        """A report that passes everything on, and by which steps are noticed."""
        return report

    def remembering(self, memo: Memo) -> Memo:
        """A memo that passes everything on, and by which recoveries are noticed."""
        return memo

    def finished(self, result: RunResult, folder: Path) -> list[str]:
        """The run has ended well, its files are in `folder`. Returns what a person should know about its history."""
        return []

    def ended(self, status: str) -> None:
        """The run has ended without a result: "FAILED" or "KILLED"."""


def default_tracker(root: Path | None = None) -> Tracker:
    """The tracker that the environment asks for; with ``EXPLORER_TRACK=0`` nothing is kept.

    It is that of ``MLFLOW_TRACKING_URI``, else a database in `root`, by default ``$EXPLORER_RUNS``, else ``runs``.
    """
    if os.environ.get(SWITCH) == "0":
        return Tracker()
    return MLflow(root or default_root())


class MLflow(Tracker):
    """Writes one MLflow run for every run, also for one that was interrupted and goes on.

    Params are the spec; tags versions, device and parent; metrics by step those of the cuts, and by epoch those of the
    recoveries; at the end the three measurements, and the plan, the report and the ONNX file as artifacts. A store that
    fails is left alone until the end of the run, when everything that is missing is sent once more. A thread of its own
    talks to the store: the run waits for it at the end only, however slow it is.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self._root / DATABASE}"
        self._client: Any = None
        self._run: str | None = None
        self._start: dict[str, Any] = {}
        self._waiting: list[tuple[str, float, int, int]] = []
        self._known: dict[str, set[int]] = {}
        self._cut: dict[str, float] = {}
        self._epochs = 0
        self._trouble: Exception | None = None
        self._thread = ThreadPoolExecutor(1, "history")

    def begin(self, spec: Spec, origin: Origin, tags: Mapping[str, Any], *, resumed: bool) -> None:
        found = {RUN_TAG: origin.id, **tags}
        if (parent := origin.parent) is not None:
            found |= {_PARENT_TAG: parent.id, f"{_PARENT_TAG}_ref": parent.ref, f"{_PARENT_TAG}_step": parent.step}
        self._start = {
            "name": f"{spec.model} {spec.method} {criterion_of(spec.to_json())}".rstrip(),
            "time": int(origin.created * 1000),
            "tags": {key: str(value) for key, value in found.items() if value is not None},
            "params": params(spec),
            "resumed": resumed,
        }
        self._try(self._open)

    def watching(self, report: Report) -> Report:
        def watched(fraction: float, message: str, **metrics: float) -> None:
            if "step" in metrics:
                self._take_step(metrics)
            report(fraction, message, **metrics)

        return watched

    def remembering(self, memo: Memo) -> Memo:
        def remembered(name: str, make: Callable[[], Record]) -> Record:
            record = memo(name, make)
            self._take_recovery(record.values)
            return record

        return remembered

    def finished(self, result: RunResult, folder: Path) -> list[str]:
        for name in ("base", "as_cut", "pruned", "achieved"):
            self._add({f"{name}/{key}": value for key, value in getattr(result, name).items()}, 0)
        self._add({"seconds": result.seconds}, 0)
        self._thread.submit(self._forgive)  # the last try, with everything that is waiting
        self._try(self._close, "FINISHED", folder).result()
        return [self._complaint(self._trouble)] if self._trouble else []

    def ended(self, status: str) -> None:
        self._try(self._close, status).result()

    def _take_step(self, metrics: Mapping[str, float]) -> None:
        """A point of the trajectory, with what is known of its recovery."""
        metric = next((key for key in metrics if key in METRICS), None)
        found = {key: metrics[key] for key in ("macs", "params", "rolled_back") if key in metrics}
        if metric is not None:
            found[f"validation/{metric}"] = metrics[metric]
            found |= {f"validation/{metric}_{when}": value for when, value in self._cut.items()}
        self._cut = {}
        self._add(found, int(metrics["step"]))
        self._try(self._send)

    def _take_recovery(self, values: Mapping[str, Any]) -> None:
        """The learning curve in a record of a method, if it has one: a point an epoch, counted over the whole run."""
        recovery = values if "epochs" in values else values.get("recovery", {})
        for epoch in recovery.get("epochs", ()):
            self._epochs += 1
            curve = {key: epoch[key] for key in ("loss", "validation_loss", "learning_rate")}
            curve[recovery["metric"]] = epoch["score"]
            self._add({f"recovery/{key}": value for key, value in curve.items()}, self._epochs)
        if "before" in values:  # a step, which is told as a whole
            self._cut = {"before": values["before"]}
        elif recovery.get("epochs"):
            self._try(self._send)

    def _add(self, metrics: Mapping[str, Any], step: int) -> None:
        """Takes the numbers among the metrics, to be sent."""
        now = int(time.time() * 1000)
        for key, value in metrics.items():
            if isinstance(value, int | float):
                self._waiting.append((_name(key), float(value), now, step))

    def _try(self, action: Callable[..., None], *arguments: Any) -> Future[None]:
        """Does something with the store, after all that was asked before, unless that has failed."""
        return self._thread.submit(self._attempt, action, *arguments)

    def _forgive(self) -> None:
        self._trouble = None

    def _attempt(self, action: Callable[..., None], *arguments: Any) -> None:
        if self._trouble is None:
            try:
                action(*arguments)
            except Exception as error:  # whatever it is: a history is not worth a run
                self._trouble = error

    def _open(self) -> None:
        """Finds the MLflow run, or makes it."""
        self._client = self._client or self._connect()
        experiment, tags = self._experiment(), self._start["tags"]
        known = self._find(experiment, tags[RUN_TAG]) if self._start["resumed"] else None
        if known is not None:
            self._client.update_run(known, status="RUNNING")
        else:
            above = self._find(experiment, tags.get(_PARENT_TAG))
            nested = {"mlflow.parentRunId": above} if above else {}
            name, time = self._start["name"], self._start["time"]
            run = self._client.create_run(experiment, run_name=name, start_time=time, tags=tags | nested)
            known = run.info.run_id
            self._start["resumed"] = False
        self._log_params(known)
        self._run = known

    def _connect(self) -> Any:
        for key, value in _SETTINGS.items():
            os.environ.setdefault(key, value)
        from mlflow import MlflowClient

        if self._local:
            self._root.mkdir(parents=True, exist_ok=True)
        return MlflowClient(tracking_uri=self._uri)

    @property
    def _local(self) -> bool:
        return not os.environ.get("MLFLOW_TRACKING_URI")

    def _experiment(self) -> str:
        """The id of the experiment, which is made where there is none; the artifacts of a local one lie beside it."""
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        if (found := self._client.get_experiment_by_name(name)) is not None:
            return found.experiment_id
        place = (self._root / ARTIFACTS).as_uri() if self._local else None
        return self._client.create_experiment(name, artifact_location=place)

    def _find(self, experiment: str, id: str | None) -> str | None:
        """The MLflow id of the run with this id, if it is in the experiment."""
        if id is None:
            return None
        found = self._client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{id}'", max_results=1)
        return found[0].info.run_id if found else None

    def _log_params(self, run: str) -> None:
        from mlflow.entities import Param

        listed = [Param(key, value) for key, value in self._start["params"].items()]
        for first in range(0, len(listed), _MOST_PARAMS):
            self._client.log_batch(run, params=listed[first : first + _MOST_PARAMS])

    def _send(self) -> None:
        """Sends what is waiting, but for what a run that goes on has sent before."""
        from mlflow.entities import Metric

        taken = self._waiting[:]
        fresh = [Metric(*point) for point in taken if point[3] not in self._steps_of(point[0])]
        for first in range(0, len(fresh), _MOST_METRICS):
            self._client.log_batch(self._run, metrics=fresh[first : first + _MOST_METRICS])
        del self._waiting[: len(taken)]  # the run may have added more meanwhile

    def _steps_of(self, key: str) -> set[int]:
        """The steps at which the store had a metric before this process went on with the run."""
        if not self._start["resumed"]:
            return set()
        if key not in self._known:
            self._known[key] = {metric.step for metric in self._client.get_metric_history(self._run, key)}
        return self._known[key]

    def _close(self, status: str, folder: Path | None = None) -> None:
        if self._run is None:
            self._open()
        self._send()
        for name in FILES if folder else ():
            self._client.log_artifact(self._run, str(folder / name))
        self._client.set_terminated(self._run, status)

    def _complaint(self, error: Exception) -> str:
        reason = _public(" ".join(str(error).split()))[:200].rstrip(".")
        if isinstance(error, ImportError):
            advice = "install it with pip install -r requirements.txt"
        elif self._local:
            advice = f"make sure that {self._root} can be written"
        else:
            advice = "check MLFLOW_TRACKING_URI and the server"
        return f"MLflow has no complete history of this run ({reason}): {advice}; all of it is in report.json"


def params(spec: Spec) -> dict[str, str]:
    """The spec as MLflow takes it: one level, texts, nothing that was not asked; long tables as JSON."""
    found = {}
    for key, value in spec.to_json().items():
        if key in ("options", "keep"):
            found |= {f"{key}.{name}": str(item) for name, item in (value or {}).items()}
        elif value not in (None, {}, []):
            found[key] = value if isinstance(value, str) else json.dumps(value)
    return {_name(key): value for key, value in found.items()}


def _name(key: str) -> str:
    """A name that MLflow accepts."""
    return re.sub(r"[^\w./: -]", "_", key)[:250]


def _public(text: str) -> str:
    """The text without the names and passwords that addresses in it may carry."""
    return re.sub(r"(?<=://)[^/\s'\"]*@|\?[^\s'\")]*", "", text)
