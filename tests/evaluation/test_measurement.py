"""Times, bytes, and the object that reports print."""

import json
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.utils.data import TensorDataset

from explorer.errors import Cancelled
from explorer.evaluation import METADATA, latency, measure, size_bytes, weights
from tests.nets import Plain

CPU = torch.device("cpu")
SHAPE = (3, 8, 8)


def task(measured: bool = True) -> SimpleNamespace:
    torch.manual_seed(0)
    test = TensorDataset(torch.randn(20, *SHAPE), torch.randint(0, 5, (20,)))
    return SimpleNamespace(test=test, measured=measured, metric="top1", kind="image-classification")


def test_latency_of_every_batch_size_with_its_circumstances():
    found = latency(Plain(), SHAPE, device=CPU, batches=(1, 4), seconds=0.02)
    assert [entry.batch for entry in found] == [1, 4]
    assert all(0 < entry.median_ms <= entry.p95_ms and entry.repeats >= 1 for entry in found)
    assert all(entry.threads == torch.get_num_threads() and "CPU" in entry.device for entry in found)


def test_slow_passes_are_repeated_less():
    class Slow(nn.Module):
        calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            torch.linalg.inv(torch.eye(300).expand(8, -1, -1))
            return x

    module = Slow()
    (found,) = latency(module, SHAPE, device=CPU, batches=(1,), seconds=1e-6)
    assert (found.repeats, module.calls) == (1, 2)


def test_the_batch_that_was_timed_is_the_batch_that_is_told(caplog):
    class Small(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if len(x) > 10:
                raise torch.OutOfMemoryError
            return x

    found = latency(Small(), SHAPE, device=CPU, batches=(32,), seconds=1e-3)
    assert found[0].batch == 8
    assert "out of memory: going on with batches of 8" in caplog.messages


def test_timing_can_be_cancelled():
    def stop(fraction: float, message: str, **metrics: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        latency(Plain(), SHAPE, device=CPU, report=stop)


def test_size_is_that_of_the_file(tmp_path):
    module = Plain()
    save_file(weights(module), tmp_path / "weights.safetensors", METADATA)
    assert size_bytes(module) == (tmp_path / "weights.safetensors").stat().st_size


def test_weights_that_share_storage_or_are_views_can_be_saved(tmp_path):
    module = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
    module[1].weight = module[0].weight
    module[0].bias = nn.Parameter(torch.arange(8.0)[::2])
    module[1].bias = nn.Parameter(torch.arange(8.0)[:4])
    saved = weights(module)
    save_file(saved, tmp_path / "weights.safetensors")
    assert all(torch.equal(saved[name], tensor) for name, tensor in module.state_dict().items())
    assert (tmp_path / "weights.safetensors").stat().st_size < 600


def test_measurement_is_complete_and_plain_json():
    module = Plain()
    found = measure(module, task(), SHAPE, device=CPU, batches=(1, 2), seconds=0.01).to_json()
    assert json.loads(json.dumps(found)) == found
    conv1, conv2, linear = 8 * 27 * 64, 12 * 72 * 16, 12 * 16 * 10 + 10 * 5
    assert found["macs"] == conv1 + conv2 + linear
    assert found["params"] == sum(p.numel() for p in module.parameters())
    assert 0 <= found["top1_low"] <= found["top1"] <= found["top1_high"] <= 1
    assert found["top5"] == 1.0  # of five classes
    assert (found["samples"], found["metric"]) == (20, "top1")
    assert found["latency_ms"] == found["latency"][0]["median_ms"]


def test_without_meaningful_labels_there_is_no_accuracy():
    found = measure(Plain(), task(measured=False), SHAPE, device=CPU, batches=(1,), seconds=0.01).to_json()
    assert [found[key] for key in ("top1", "top5", "top1_low", "top1_high")] == [None] * 4
    assert found["samples"] == 0
    assert found["macs"] > 0
