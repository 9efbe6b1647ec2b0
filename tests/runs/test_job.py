"""A job's record."""

import io
import json

from explorer.runs.queue.job import FILE, Job
from explorer.runs.queue.worker import Worker, _Reporter


def make(tmp_path):
    return Job("1", "ada", "t", {"kind": "prune"}, "cpu", str(tmp_path))


def test_saved_and_read_again(tmp_path):
    job = make(tmp_path)
    job.start()
    job.progress(0.5, "half", {"loss": float("nan")})
    job.finish("done", result={"a": 1})
    job.save()
    again = Job.from_json({**json.loads((tmp_path / FILE).read_text()), "unknown": 1})
    assert (again.state, again.fraction, again.result) == ("done", 1.0, {"a": 1})
    assert again.history[0]["loss"] is None


def test_the_first_end_counts(tmp_path):
    job = make(tmp_path)
    job.finish("cancelled")
    job.finish("failed", error="late")
    assert (job.state, job.error) == ("cancelled", None)


def test_progress_never_runs_backwards_and_history_is_bounded(tmp_path):
    job = make(tmp_path)
    for batch in range(5000):
        job.progress(batch / 5000, "training", {"batch": batch})
        if batch % 500 == 0:
            job.progress(batch / 5000, "a step", {"step": batch // 500, "macs": 7})
    job.progress(0.1, "smaller batch", {})
    assert job.fraction == 4999 / 5000
    assert len(job.history) <= 2000
    batches = [entry["batch"] for entry in job.history]
    assert batches == sorted(batches)
    assert batches[-1] == 4999
    assert [point["step"] for point in job.points] == list(range(10))


def test_a_long_history_keeps_how_each_epoch_ended_and_stays_bounded(tmp_path):
    job = make(tmp_path)
    for epoch in range(1, 301):
        for batch in range(30):
            job.progress(0.5, "training", {"epoch": epoch - 1 + batch / 30, "loss": 1.0})
            assert job.history[-1]["epoch"] == epoch - 1 + batch / 30
        job.progress(0.5, "judged", {"epoch": epoch, "validation_loss": 0.5})
    assert [entry["epoch"] for entry in job.history if "validation_loss" in entry] == list(range(1, 301))
    assert len(job.history) <= 2000
    for epoch in range(301, 5000):
        job.progress(0.5, "judged", {"epoch": epoch, "validation_loss": 0.5})
    assert len(job.history) <= 2000
    assert job.history[-1]["epoch"] == 4999


def test_a_point_told_again_keeps_its_place_and_time(tmp_path):
    job = make(tmp_path)
    for step in (0, 1):
        job.progress(step / 4, f"step {step}", {"step": step}, at=100.0 + step)
    job.progress(0.0, "step 0", {"step": 0, "macs": 5}, at=200.0)
    assert [(point["step"], point["time"], point.get("macs")) for point in job.points] == [(0, 100, 5), (1, 101, None)]


def test_the_reporter_swallows_no_step():
    """Reports come faster than they are written; one batch's may be left out, a step's never."""
    events = io.StringIO()
    report = _Reporter(Worker((), events))
    for step in range(50):
        report(step / 100, "training", loss=1.0)
        report(step / 100, "training", loss=2.0)
        report(step / 100, f"step {step}", step=step, macs=3)
        report(step / 100, f"step {step}", step=step + 0.5, macs=3)
    told = [json.loads(line)["metrics"] for line in events.getvalue().splitlines()]
    assert [metrics["step"] for metrics in told if "step" in metrics] == [half / 2 for half in range(100)]
    assert sum("loss" in metrics for metrics in told) == 50


def test_a_copy_stays_as_it_was(tmp_path):
    job = make(tmp_path)
    copy = job.copy()
    job.progress(0.5, "half", {"loss": 1.0})
    assert (copy.fraction, copy.history) == (0.0, [])
