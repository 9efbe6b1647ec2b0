"""A latency tells whether others had the processors."""

import multiprocessing
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from explorer.cli.measurements import measurement_table
from explorer.evaluation import latency, timing
from explorer.evaluation.contention import disturbed, waited

LINUX = pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="only Linux counts it")


def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@LINUX
def test_waiting_grows_where_more_want_the_processors_than_there_are():
    before = waited()
    processes = [multiprocessing.Process(target=spin, args=(1.0,)) for _ in range(2 * multiprocessing.cpu_count())]
    for process in processes:
        process.start()
    spin(0.8)
    for process in processes:
        process.join()
    assert waited() > before


@LINUX
def test_a_latency_has_its_share_of_waiting():
    (found,) = latency(nn.Linear(3, 2), (3,), device=torch.device("cpu"), batches=(1,), seconds=0.05)
    assert found.waited >= 0


def test_threads_that_end_meanwhile_make_no_share_of_waiting_negative(monkeypatch):
    counted = iter((5.0, 2.0))  # those that have ended are not counted any longer
    monkeypatch.setattr(timing, "waited", lambda: next(counted))
    (found,) = latency(nn.Linear(3, 2), (3,), device=torch.device("cpu"), batches=(1,), seconds=0.01)
    assert found.waited == 0


def test_what_was_disturbed_is_shown_as_too_long():
    measured = {"metric": "top1", "top1": None, "params": 1, "macs": 1, "size_bytes": 1, "latency_ms": 2.0}
    for waits, told in ((0.5, True), (0.01, False), (None, False)):
        times = [{"batch": 1, "median_ms": 2.0, "waited": waits}]
        assert disturbed(times) == told
        assert ("too long" in measurement_table({"base": measured | {"latency": times}})) == told
    assert not disturbed([{"batch": 1, "median_ms": 2.0}])
