"""Several processes train as one would; one process alone leaves no trace of the library that trains."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from accelerate.state import AcceleratorState, GradientState, PartialState
from torch import nn

from explorer.device import choose_device
from explorer.distributed import by_main, is_main, joined, processes, shared
from explorer.errors import ExplorerError
from explorer.recovery import finetune
from explorer.recovery.training import Learner, Objective, accelerated, synchronised
from explorer.tasks.image_classification import shifted
from tests.recovery.test_finetuning import CPU, Net, net, task, weights_of
from tests.recovery.together import trained

ROOT = Path(__file__).parents[2]


def launched(*arguments: str) -> subprocess.CompletedProcess:
    """Two processes of ``python -m ARGUMENTS``."""
    command = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d"]
    command += ["--rdzv-endpoint", "localhost:0", "-m", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.slow
def test_two_processes_train_as_one_would(tmp_path):
    alone = trained()
    done = launched("tests.recovery.together", str(tmp_path))
    assert done.returncode == 0, done.stderr
    first, second = (safetensors.torch.load_file(tmp_path / f"{rank}.safetensors") for rank in range(2))
    assert any(name.startswith("student.") for name in first)
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    for name, tensor in alone.items():
        torch.testing.assert_close(first[name], tensor)


@pytest.mark.slow
def test_two_processes_write_one_bundle(tmp_path):
    out = tmp_path / "bundle"
    how = "--model demo:vit-digits --data digits --device cpu --keep macs=0.5 --method one-shot --criterion l2"
    asked = [*how.split(), "--recover", "finetune", "--epochs", "1", "--json", "--quiet", "--out", str(out)]
    done = launched("explorer", "prune", *asked)
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    document = json.loads(line)
    assert document["recovery"]["epochs"][0]["score"] > 0.2
    assert document["pruned"] == json.loads((out / "report.json").read_text())["pruned"]
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_other_commands_are_for_one_process(monkeypatch, capsys):
    from explorer.cli import main

    for name, value in {"WORLD_SIZE": "2", "LOCAL_RANK": "1", "RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert (processes(), is_main()) == (2, False)
    assert main(["models"]) == 2
    assert "only prune shares its work" in capsys.readouterr().err


def test_alone_nothing_is_exchanged():
    with joined(CPU):
        assert not torch.distributed.is_initialized()
        assert by_main(lambda: 3) == 3
    memo = lambda name, make: make()  # noqa: E731
    assert shared(memo) is memo


def test_a_training_does_not_decide_over_the_next():
    before = [dict(kind._shared_state) for kind in (PartialState, AcceleratorState, GradientState)]
    with accelerated(torch.device("meta")) as outer:
        assert outer.device.type == "meta"
        with accelerated(CPU) as inner:
            assert inner.device == CPU
        assert AcceleratorState().device.type == "meta"
    assert [dict(kind._shared_state) for kind in (PartialState, AcceleratorState, GradientState)] == before


def test_the_processor_computes_where_it_is_asked_for_though_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with accelerated(CPU) as accelerator:
        assert (accelerator.device, accelerator.mixed_precision) == (CPU, "no")


def test_the_environment_of_a_launcher_changes_no_result(monkeypatch):
    plain, module = net(), net()
    finetune(plain, task(), epochs=1, device=CPU)
    for name, value in {"GRADIENT_ACCUMULATION_STEPS": "4", "MIXED_PRECISION": "bf16"}.items():
        monkeypatch.setenv(f"ACCELERATE_{name}", value)
    finetune(module, task(), epochs=1, device=CPU)
    assert torch.equal(weights_of(module), weights_of(plain))


def test_mixed_precision_reaches_the_loss_and_not_the_network(monkeypatch):
    monkeypatch.setattr("explorer.recovery.training.training_precision", lambda device: "bf16")
    seen, module = [], net()

    class Watched(Objective):
        def __call__(self, module: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            seen.append(module.conv(inputs).dtype)
            return super().__call__(module, inputs, labels)

    finetune(module, task(), epochs=1, device=CPU, objective=Watched())
    assert set(seen) == {torch.bfloat16}
    assert module.conv(torch.randn(1, 1, 8, 8)).dtype == torch.float32
    assert "forward" not in vars(module)


def test_batch_norms_see_all_processes_on_a_gpu_and_come_back():
    class Two:
        num_processes, device = 2, torch.device("cuda")

    module = nn.Sequential(net(), nn.BatchNorm2d(3))
    norms, statistics = [module[0].bn, module[1]], module[0].bn.running_mean
    with synchronised(module, Two()):
        assert isinstance(module[0].bn, nn.SyncBatchNorm)
        assert module[0].bn.running_mean is statistics
        assert module[1].weight is norms[1].weight
    assert [module[0].bn, module[1]] == norms
    Two.device = CPU
    with synchronised(module, Two()):
        assert module[0].bn is norms[0]


def test_a_share_of_a_batch_moves_as_in_the_whole():
    images = torch.randn(7, 1, 8, 8)
    whole = shifted(images, torch.Generator().manual_seed(0))
    share = shifted(images[4:6], torch.Generator().manual_seed(0), 7, 4)
    assert torch.equal(share, whole[4:6])


def test_several_processes_choose_a_gpu_each(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    for name, value in {"WORLD_SIZE": "4", "LOCAL_RANK": "2", "RANK": "2"}.items():
        monkeypatch.setenv(name, value)
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda", 2)
    assert choose_device("cpu") == CPU
    with pytest.raises(ExplorerError, match="can't share 'cuda:1'"):
        choose_device("cuda:1")


def test_what_is_learnt_beside_the_network_is_averaged_too():
    further = nn.Parameter(torch.zeros(2))
    learner = Learner(Net(), Objective(), [further])
    assert any(parameter is further for parameter in learner.parameters())
