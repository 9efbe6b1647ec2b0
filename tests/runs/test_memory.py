"""A device whose memory holds few samples: every stage goes on with smaller batches, and what was done is kept."""

import logging

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from explorer.device import BatchSize
from explorer.errors import ResourceError
from explorer.evaluation import latency
from explorer.methods.ifap import ifap
from explorer.methods.spec import Spec
from explorer.runs.checkpoint import Checkpoint
from tests.methods.toys import gradual, same_weights, stand_in
from tests.recovery.test_finetuning import CPU

SPEC = Spec(**gradual("ifap", {"macs": 0.5}), steps=2)


class Memory:
    """Holds batches of `most` samples, from the time on that a report begins with `since`."""

    def __init__(self, most, since=""):
        self.most, self.since, self.full = most, since, not since
        self.refused = set()

    def __call__(self, module, inputs):
        if self.full and isinstance(module, nn.Conv2d) and len(inputs[0]) > self.most:
            self.refused.add(len(inputs[0]))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate a lot")

    def report(self, fraction, message, **metrics):
        self.full |= bool(self.since) and message.startswith(self.since)


@pytest.fixture
def memory():
    """Gives the device a memory, until the end of the test."""
    handles = []

    def give(most, since=""):
        found = Memory(most, since)
        handles.append(register_module_forward_pre_hook(found))
        return found

    yield give
    for handle in handles:
        handle.remove()


@pytest.fixture
def toy(monkeypatch):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 12, 3), nn.ReLU())
    module = nn.Sequential(*module, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 3)).eval()
    stand_in(monkeypatch, module)
    return module


def test_every_stage_goes_on_with_smaller_batches(toy, memory, caplog):
    small = memory(5)
    with caplog.at_level(logging.WARNING, "explorer"):
        outcome = ifap(SPEC)
    assert len(outcome.steps) == 2
    assert max(small.refused) >= 30  # of scoring and evaluation, of training, of the first look at both networks
    assert {record.getMessage() for record in caplog.records} >= {"out of memory: going on with batches of 4"}


def test_where_nothing_fits_the_finished_steps_are_kept(toy, memory, tmp_path):
    whole = ifap(SPEC)
    folder = tmp_path / "out.partial"
    none = memory(0, since="step 2: ")
    with pytest.raises(ResourceError, match="batch of one"), Checkpoint(folder, SPEC, resume=False) as checkpoint:
        ifap(SPEC, none.report, checkpoint)
    assert {"base", "start", "scores-00", "step-01", "scores-01"} == set(checkpoint.finished())
    none.most = 1000
    with Checkpoint(folder, SPEC, resume=True) as again:
        outcome = ifap(SPEC, memo=again)
    assert outcome.plan == whole.plan
    same_weights(outcome.module, whole.module)


def test_latency_on_a_small_device(toy, memory):
    memory(9)
    assert [entry.batch for entry in latency(toy, (1, 8, 8), device=CPU, batches=(1, 32), seconds=0.01)] == [1, 8]


def test_memory_of_other_devices_is_recognised():
    def work(size):
        if size > 2:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: …")
        return size

    assert BatchSize(8, announce=lambda text: None).retry(work) == 2
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        BatchSize(8).retry(lambda size: torch.zeros(1, 2) @ torch.zeros(3, 1))
