"""Waiting for the jobs of a desk."""

import time

PATIENCE = 300  # seconds; a busy machine is slow, not wrong


def wait(desk, id, until=lambda job: job.final, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not until(job := desk.job(id)):
        assert time.monotonic() < deadline, f"still {job.state} at {job.fraction:.0%}: {job.message}"
        assert not (job.final and not until(job)), f"ended early: {job.error}"
        time.sleep(0.05)
    return job


def training(job):
    return any("loss" in entry for entry in job.history)
