"""The history in MLflow: complete, one for every run however often interrupted, and never in the way."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from explorer.errors import Cancelled
from explorer.methods.spec import Spec
from explorer.methods.tools.stages import Record
from explorer.progress import silent
from explorer.runs.execute import execute
from explorer.runs.history.tracking import ARTIFACTS, DATABASE, MLflow, Tracker, default_tracker
from explorer.runs.identity import Origin, Parent
from explorer.runs.result import RunResult

SPEC = Spec("demo:resnet20-digits", "digits", method="ifap", criterion="l2", keep={"macs": 0.8}, steps=2, device="cpu")
SPEC = Spec.from_json({**SPEC.to_json(), "recover": "none", "max_drop": 1.0})
LOOK = """
import json, os, sys
os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", MLFLOW_LOGGING_LEVEL="ERROR")
from mlflow import MlflowClient
client = MlflowClient(sys.argv[1])
found = []
for run in client.search_runs([e.experiment_id for e in client.search_experiments()], order_by=["start_time ASC"]):
    id = run.info.run_id
    history = {k: [[m.step, m.value] for m in client.get_metric_history(id, k)] for k in run.data.metrics}
    files = {f.path: client.download_artifacts(id, f.path) for f in client.list_artifacts(id)}
    found.append({"id": id, "status": run.info.status, "params": run.data.params, "tags": run.data.tags,
                  "metrics": history, "files": files})
print(json.dumps(found))
"""


def history(root):
    """What a process that knows nothing of this program finds in the store."""
    command = [sys.executable, "-c", LOOK, f"sqlite:///{root / DATABASE}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    return json.loads(done.stdout)


@pytest.fixture(autouse=True)
def _no_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """A run with its history: the store's folder, the bundle, the result."""
    root = tmp_path_factory.mktemp("history")
    result = execute(SPEC, root / "out", tracker=MLflow(root))
    return root, root / "out", result.to_json()


@pytest.mark.slow
def test_the_store_tells_what_the_report_tells(tracked):
    root, out, result = tracked
    assert not any("MLflow" in warning for warning in result["warnings"])
    report = json.loads((out / "report.json").read_text())
    [run] = history(root)
    assert run["status"] == "FINISHED"
    assert run["tags"]["explorer.run"] == report["id"]
    assert run["tags"]["torch"] == report["versions"]["torch"]
    assert (run["params"]["keep.macs"], run["params"]["steps"]) == ("0.8", "2")
    assert not {"plan", "ratios", "rho"} & run["params"].keys()
    metrics, steps = run["metrics"], report["steps"]
    assert metrics["macs"] == [[0, report["base"]["macs"]], *([step["step"], step["macs"]] for step in steps)]
    assert metrics["params"][1:] == [[step["step"], step["params"]] for step in steps]
    assert metrics["validation/top1"][1:] == [[step["step"], step["top1_after"]] for step in steps]
    assert metrics["validation/top1_before"] == [[step["step"], step["top1_before"]] for step in steps]
    for name in ("base", "as_cut", "pruned"):
        for key in ("top1", "top1_low", "top1_high", "macs", "params", "latency_ms", "size_bytes"):
            assert metrics[f"{name}/{key}"] == [[0, report[name][key]]]
    assert set(run["files"]) == {"plan.json", "report.json", "model.onnx"}
    for name, path in run["files"].items():
        assert Path(path).read_bytes() == (out / name).read_bytes()
    assert {path.name for path in root.iterdir()} == {DATABASE, ARTIFACTS, "out"}


EPOCH = {"epoch": 1, "loss": 0.5, "score": 0.9, "validation_loss": 0.4, "learning_rate": 0.1, "seconds": 1.0}
RESULT = RunResult({"top1": 1.0}, {"top1": 0.5}, {"top1": None}, achieved={"macs": 0.4}, seconds=3)


def step(tracker, number, epochs):
    """What a gradual method tells of one step."""
    recovery = {"metric": "top1", "epochs": [{**EPOCH, "loss": loss} for loss in epochs]}
    values = {"before": 0.7, "recovery": recovery, "step_seconds": 1.0}
    tracker.remembering(lambda name, make: make())(f"step-{number:02}", lambda: Record(values))
    tracker.watching(silent)(
        0.5, "", step=number, macs=100 - number, params=10, top1=0.8, rolled_back=0, **{"width/a": 3}
    )


def files(folder):
    folder.mkdir()
    for name in ("plan.json", "report.json", "model.onnx"):
        (folder / name).write_text(name)
    return folder


@pytest.mark.slow
def test_an_interrupted_run_goes_on_as_the_same_one_and_says_nothing_twice(tracked, tmp_path):
    root, _, _ = tracked
    before = len(history(root))
    origin = Origin(Parent("run:out/steps/02", tracked[2]["id"], 2))
    first = MLflow(root)
    first.begin(SPEC, origin, {}, resumed=False)
    step(first, 1, [3.0, 2.0])
    first.ended("KILLED")
    run = history(root)[before]
    assert (run["status"], run["metrics"]["recovery/loss"]) == ("KILLED", [[1, 3.0], [2, 2.0]])

    second = MLflow(root)
    second.begin(SPEC, origin, {}, resumed=True)
    step(second, 1, [3.0, 2.0])
    step(second, 2, [1.0])
    assert second.finished(RESULT, files(tmp_path / "bundle")) == []
    runs = history(root)
    run = runs[before]
    assert (len(runs), run["status"]) == (before + 1, "FINISHED")
    assert run["metrics"]["macs"] == [[1, 99], [2, 98]]
    assert run["metrics"]["recovery/loss"] == [[1, 3.0], [2, 2.0], [3, 1.0]]
    assert run["metrics"]["recovery/top1"] == [[1, 0.9], [2, 0.9], [3, 0.9]]
    assert not {"width/a", "pruned/top1"} & run["metrics"].keys()
    assert run["tags"]["mlflow.parentRunId"] == runs[0]["id"]
    assert run["tags"]["explorer.parent_step"] == "2"


def test_how_a_run_ended_is_told(monkeypatch, tmp_path):
    told = []
    tracker = Tracker()
    monkeypatch.setattr(tracker, "ended", told.append)

    def failing(error):
        def report(*_, **__):
            raise error

        return report

    for error in (Cancelled(), KeyboardInterrupt(), RuntimeError()):
        with pytest.raises(type(error)):
            execute(SPEC, tmp_path / "out", failing(error), tracker=tracker)
    assert told == ["KILLED", "KILLED", "FAILED"]


def test_a_store_that_is_down_is_a_warning_without_secrets(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ada:secret@127.0.0.1:9/?token=hidden")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    tracker = MLflow(tmp_path / "runs")
    tracker.begin(SPEC, Origin(None), {}, resumed=False)
    step(tracker, 1, [1.0])
    [warning] = tracker.finished(RESULT, files(tmp_path / "bundle"))
    assert "report.json" in warning
    assert "check MLFLOW_TRACKING_URI" in warning
    assert not any(secret in warning for secret in ("ada", "secret", "hidden"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_store_that_comes_back_gets_everything(tracked, tmp_path, monkeypatch):
    root, _, _ = tracked
    tracker, before = MLflow(root), len(history(root))
    opened = tracker._open
    monkeypatch.setattr(tracker, "_open", lambda: 1 / 0)
    tracker.begin(SPEC, Origin(None), {}, resumed=False)
    step(tracker, 1, [1.0])
    monkeypatch.setattr(tracker, "_open", opened)
    assert tracker.finished(RESULT, files(tmp_path / "bundle")) == []
    assert history(root)[before]["metrics"]["macs"] == [[1, 99]]


def test_a_trouble_with_the_history_is_in_the_result_and_the_report(monkeypatch, tmp_path):
    monkeypatch.setattr("explorer.runs.execute._carry_out", lambda spec, out, *_: RESULT)
    (tmp_path / "out").mkdir()
    (tmp_path / "file").write_text("")
    result = execute(SPEC, tmp_path / "out", tracker=MLflow(tmp_path / "file")).to_json()
    assert "can be written" in result["warnings"][0]
    assert json.loads((tmp_path / "out" / "report.json").read_text())["warnings"] == result["warnings"]


def test_switched_off(monkeypatch, tmp_path):
    monkeypatch.setenv("EXPLORER_TRACK", "0")
    assert not isinstance(default_tracker(tmp_path), MLflow)
    monkeypatch.setenv("EXPLORER_TRACK", "1")
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path))
    assert isinstance(default_tracker(), MLflow)


def test_mlflow_is_not_loaded_before_it_is_needed():
    check = (
        "import sys, explorer.cli.verbs.prune, explorer.runs.execute, explorer.runs.queue.desk, explorer.ui.engine\n"
    )
    check += "sys.exit(any(name.split('.')[0] in ('mlflow', 'sqlalchemy') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0
