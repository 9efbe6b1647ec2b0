"""The charts of runs: what they carry, and that what happened is told apart."""

import pandas as pd
import pytest

from explorer.runs.history.learning import learning, training_left
from explorer.runs.history.trajectory import seconds_left, trajectory
from explorer.runs.queue.job import Job
from explorer.tasks import METRICS
from explorer.ui.charts import comparison, gradual
from explorer.ui.text import findings

METRIC = METRICS["top1"]


def told(number, macs, value, at, *, rolled_back=False, **widths):
    metrics = {"step": number, "macs": macs, "params": macs, "rolled_back": int(rolled_back), "top1": value}
    metrics |= {f"width/{name}": size for name, size in widths.items()}
    return {"time": 1000.0 + 10 * at, "fraction": at, "message": f"step {number}", **metrics}


@pytest.fixture
def job():
    points = [
        told(0, 400, 0.99, 0.1, a=8, b=4),
        told(1, 300, 0.98, 0.3, a=6, b=4),
        told(2, 150, 0.90, 0.5, rolled_back=True, a=2, b=4),
        told(3, 250, 0.97, 0.7, a=5, b=4),
    ]
    return Job("id", "me", "IFAP", {"kind": "prune"}, "cpu", "/nowhere", state="running", points=points)


def test_a_trajectory_is_what_the_points_tell(job):
    metric, steps = trajectory(job)
    assert metric == METRIC
    assert [(step.number, step.macs, step.rolled_back) for step in steps] == [
        (0, 400, False),
        (1, 300, False),
        (2, 150, True),
        (3, 250, False),
    ]
    assert steps[1].kept == {"a": 6, "b": 4}
    assert steps[1].before is None
    job.result = {"steps": [{"step": 1, "top1_before": 0.5}]}
    assert trajectory(job)[1][1].before == 0.5


def test_the_time_left_follows_the_pace_of_the_steps(job):
    _, steps = trajectory(job)
    # 6 seconds took the run from 10 to 70 %; the rest takes 3, of which one has passed.
    assert seconds_left(job, steps, now=1008.0) == pytest.approx(2.0)
    assert seconds_left(job, steps, now=2000.0) == 0.0
    assert seconds_left(job, steps[:1]) is None


def in_epoch(at, value, time, **more):
    return {"time": time, "fraction": 0.5, "message": "", "epoch": at, "epochs": 4, "loss": 1.0, "top1": value, **more}


def test_a_training_is_told_by_epochs_each_with_the_value_after_it(job):
    job.points = []
    job.history = [
        {"time": 990.0, "fraction": 0.1, "message": "another measure", "samples": 3},
        in_epoch(0.5, 0.3, 1000.0),
        in_epoch(1.0, 0.3, 1001.0),
        in_epoch(1, 0.6, 1002.0, validation_loss=0.9),
        in_epoch(1.5, 0.6, 1003.0),
    ]
    metric, told = learning(job)
    assert metric == METRIC
    assert [(entry.epoch, entry.value, entry.at) for entry in told] == [(0, 0.3, 0.0), (1, 0.6, 0.25)]
    # An epoch takes 3 s and 2.5 of them are left; one second has passed since.
    assert training_left(job, now=1004.0) == pytest.approx(6.5)
    job.history = job.history[:2]
    assert training_left(job, now=1004.0) is None


def test_epochs_lie_inside_of_the_steps_of_a_run_that_cuts_in_steps(job):
    second = job.points[1]["time"]
    job.history = [in_epoch(2, 0.97, second - 1, validation_loss=1.0), in_epoch(4, 0.95, second + 1, validation_loss=1)]
    assert [(entry.step, entry.epoch, entry.at) for entry in learning(job)[1]] == [(1, 2, 0.5), (2, 4, 2.0)]


def test_the_report_of_a_run_tells_its_training_where_its_reports_on_the_way_are_of_an_older_version(job):
    job.history, job.points = [in_epoch(1, 0.5, 1.0) | {"epoch": None}], []
    job.result = {"recovery": {"metric": "top1", "start": 0.4, "epochs": [{"epoch": 1, "score": 0.5}]}}
    assert [(entry.epoch, entry.value) for entry in learning(job)[1]] == [(0, 0.4), (1, 0.5)]


def test_a_finished_run_of_one_step_is_told_by_its_report_and_a_gradual_one_by_what_was_heard(job):
    job.history = [in_epoch(3, 0.6, 9000.0, validation_loss=0.9)]  # what a long history has kept
    epochs = [{"epoch": number, "score": number / 10} for number in (1, 2, 3)]
    job.result = {"recovery": {"metric": "top1", "start": 0.05, "epochs": epochs}}
    job.state = "done"
    assert [entry.epoch for entry in learning(job)[1]] == [3]
    job.points = []
    metric, told = learning(job)
    assert metric == METRIC
    assert [(entry.epoch, entry.value, entry.epochs) for entry in told] == [
        (0, 0.05, 3),
        (1, 0.1, 3),
        (2, 0.2, 3),
        (3, 0.3, 3),
    ]


def data(spec, column):
    """The rows of those data sets of a chart that have a column."""
    return [rows for rows in spec["datasets"].values() if column in rows[0]]


def test_a_step_that_was_taken_back_is_hollow_and_off_the_way(job):
    _, steps = trajectory(job)
    places = ["base model", "recovered", "taken back", "recovered"]
    rows = [
        {
            "step": s.number,
            "macs": s.macs / 400,
            "params": s.macs / 400,
            "value": s.value,
            "before": 0.5,
            "place": place,
        }
        for s, place in zip(steps, places, strict=True)
    ]
    spec = gradual.trajectory(pd.DataFrame(rows), METRIC, kind="macs", limit=0.96, target=0.5).to_dict()
    layers = spec["layer"]
    way = next(layer for layer in layers if layer["mark"]["type"] == "line")
    hollow = next(layer for layer in layers if layer["mark"]["type"] == "point" and not layer["mark"]["filled"])
    rows_of = lambda layer: [row["step"] for row in spec["datasets"][layer["data"]["name"]]]  # noqa: E731
    assert rows_of(way) == [0, 1, 3]
    assert rows_of(hollow) == [2]
    low, high = way["encoding"]["y"]["scale"]["domain"]
    assert low < 0.9
    assert high <= 1.0
    assert {layer["mark"].get("text") for layer in layers} >= {"limit 96.0%", "target 50%"}


def test_the_finding_says_where_a_course_has_come_to(job):
    _, steps = trajectory(job)
    assert findings.of_trajectory(steps, METRIC, "macs") == (
        "62.5% of the MACs left, validation top-1 97.0%, 2.0 points below the base model; 1 step taken back"
    )
    assert findings.of_trajectory(steps[:1], METRIC, "macs") == "The base model: 99.0% on validation data"


def test_test_and_validation_never_share_a_line():
    at = {"macs": 0.5, "params": 0.5}
    finals = [{"run": "A", "what": "pruned", "value": 0.9, "low": 0.88, "high": 0.92, **at}]
    ways = [{"run": "A", "step": 1, "macs": 0.8, "params": 0.8, "value": 0.95}]
    nothing = pd.DataFrame(columns=["run", "what", "value", "low", "high", "macs", "params"])
    drawing = comparison.tradeoff(
        pd.DataFrame(finals),
        pd.DataFrame(ways),
        METRIC,
        {"A": "#123456"},
        kind="macs",
        others=nothing,
        frontier=nothing,
    )
    spec = drawing.to_dict()
    for layer in spec["layer"]:
        validation = "step" in spec["datasets"][layer["data"]["name"]][0]
        assert (layer["mark"]["type"] == "line") <= validation
    assert "validation" in spec["layer"][0]["encoding"]["y"]["axis"]["title"]


def test_a_map_of_widths_has_a_cell_for_every_group_and_step():
    rows = [
        {"group": group, "step": step, "kept": 4, "size": 8, "share": 0.5, "taken_back": step == 2}
        for step in range(3)
        for group in ("a", "b")
    ]
    spec = gradual.width_map(pd.DataFrame(rows), 1).to_dict()
    assert sorted(len(rows) for rows in data(spec, "share")) == [2, 4]
