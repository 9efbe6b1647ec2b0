"""A job's record."""

import json

from explorer.runs.job import FILE, Job


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
    for step in range(5000):
        job.progress(step / 5000, "training", {"step": step})
    job.progress(0.1, "smaller batch", {})
    assert job.fraction == 4999 / 5000
    assert len(job.history) <= 2000
    assert job.history[-1]["step"] == 4999
    steps = [entry["step"] for entry in job.history]
    assert steps == sorted(steps)


def test_a_copy_stays_as_it_was(tmp_path):
    job = make(tmp_path)
    copy = job.copy()
    job.progress(0.5, "half", {"loss": 1.0})
    assert (copy.fraction, copy.history) == (0.0, [])
