"""Fine-tuning learns, repeats itself, keeps the best, and copes with what networks and devices do."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset
from torchvision import models

from explorer.errors import Cancelled, ExplorerError
from explorer.pruning import Plan, cut
from explorer.recovery import RECOVERIES, Origin, finetune, recover
from explorer.recovery.memory import Reached
from explorer.recovery.training import Regime, default_learning_rate, layout, schedule
from explorer.sources import load_model, load_task
from explorer.structure import adapt, analyse
from explorer.tasks import accuracy, model_loss
from explorer.tasks.image_classification import shifted

CPU = torch.device("cpu")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.drop = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.Dropout(0.1)
        self.fc = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.drop(F.relu(self.bn(self.conv(x))).mean((2, 3))))


def part(count: int, seed: int) -> TensorDataset:
    """Three classes: noise, horizontal stripes, vertical stripes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    images = torch.randn(count, 1, 8, 8, generator=generator) * 0.3
    stripes = torch.tensor([1.0, -1.0]).repeat(4)
    images[labels == 1] += stripes[:, None]
    images[labels == 2] += stripes[None, :]
    return TensorDataset(images, labels)


def task(**changes: object) -> SimpleNamespace:
    parts = {"train": part(97, 0), "calibration": part(30, 1), "validation": part(30, 2), "test": part(60, 3)}
    facts = {"ref": "stripes", "measured": True, "metric": "top1", "kind": "image-classification"}
    return SimpleNamespace(**(facts | parts | changes))


def net() -> Net:
    torch.manual_seed(0)
    return Net()


def weights_of(module: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def test_it_learns_and_says_how():
    module, seen = net(), []
    history = finetune(
        module,
        task(),
        epochs=8,
        learning_rate=0.1,
        batch_size=16,
        device=CPU,
        report=lambda f, message, **m: seen.append((f, m)),
    )
    assert accuracy(module, task().test, device=CPU).top1 > 0.9
    assert history.epochs[-1].score > history.start
    assert [epoch.epoch for epoch in history.epochs] == list(range(1, len(history.epochs) + 1))
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    batches = [
        metrics for _, metrics in seen if {"loss", "top1"} <= metrics.keys() and "validation_loss" not in metrics
    ]
    assert len(batches) == 7 * len(history.epochs)
    ends = [(m["epoch"], m["epochs"], m["top1"]) for _, m in seen if "validation_loss" in m]
    assert ends == [(epoch.epoch, 8, epoch.score) for epoch in history.epochs]


def test_the_same_seed_gives_the_same_weights_and_disturbs_nobody():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    results = []
    for seed in (1, 1, 2):
        module = net()
        torch.random.set_rng_state(before)
        finetune(module, task(), epochs=2, seed=seed, device=CPU)
        assert torch.equal(torch.random.get_rng_state(), before)
        results.append(weights_of(module))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_the_best_epoch_is_kept_and_patience_ends_it():
    module = net()
    good = finetune(module, task(), epochs=6, learning_rate=0.1, batch_size=16, device=CPU)
    kept = accuracy(module, task().validation, device=CPU)
    worse = finetune(module, task(train=part(3, 9)), epochs=20, learning_rate=3.0, patience=2, device=CPU)
    assert kept.top1 == max([good.start, *(epoch.score for epoch in good.epochs)])
    assert worse.stopped_early
    tops = [worse.start, *(epoch.score for epoch in worse.epochs)]
    assert len(worse.epochs) == tops.index(max(tops)) + 2
    assert accuracy(module, task().validation, device=CPU).top1 >= worse.start


def test_a_batch_too_large_is_summed_from_smaller_ones_to_the_same_gradient(caplog):
    class Tight(Net):
        def forward(self, x: Tensor) -> Tensor:
            if self.training and len(x) > 10:
                raise torch.OutOfMemoryError
            return super().forward(x)

    def trained(kind: type) -> Tensor:
        torch.manual_seed(0)
        module = kind()
        module.bn, module.drop = nn.Identity(), nn.Identity()
        finetune(module, task(), epochs=1, batch_size=32, device=CPU)
        return weights_of(module)

    torch.testing.assert_close(trained(Tight), trained(Net))
    assert caplog.messages == [
        "out of memory: going on with batches of 16",
        "out of memory: going on with batches of 8",
    ]


def test_modes_and_memory_layout_come_back():
    module = net().eval()
    finetune(module, task(), epochs=1, device=CPU)
    assert not any(part.training for part in module.modules())
    assert module.conv.weight.is_contiguous()
    assert all(parameter.grad is None for parameter in module.parameters())


def test_cancel_arrives_within_a_batch():
    calls = []

    def stop(fraction: float, message: str, **metrics: float) -> None:
        calls.append(message)
        if "epoch" in message:
            raise Cancelled

    with pytest.raises(Cancelled):
        finetune(net(), task(), epochs=5, device=CPU, report=stop)
    assert sum("epoch" in message for message in calls) == 1


def test_a_diverging_loss_is_said():
    bad = TensorDataset(torch.full((8, 1, 8, 8), float("nan")), torch.zeros(8).long())
    with pytest.raises(ExplorerError, match="no longer finite"):
        finetune(net(), task(train=bad), epochs=1, device=CPU)


def test_networks_with_auxiliary_heads_are_trained_with_them():
    module = models.googlenet(num_classes=3, aux_logits=True, init_weights=False).eval()
    data = TensorDataset(torch.randn(6, 3, 32, 32), torch.tensor([0, 1, 2, 0, 1, 2]))
    parts = {"train": data, "calibration": data, "validation": data}
    finetune(module, task(**parts), epochs=1, batch_size=6, device=CPU)
    assert isinstance(module(torch.randn(2, 3, 32, 32)), Tensor)
    model_loss(module.train(), torch.randn(2, 3, 32, 32), torch.tensor([0, 1])).backward()
    assert module.aux1.fc2.weight.grad.abs().sum() > 0


def test_weights_of_the_heads_in_the_loss():
    def head(margin: float) -> Tensor:
        return torch.tensor([[margin, 0.0]])

    class Heads(nn.Module):
        def __init__(self, *heads: Tensor | None) -> None:
            super().__init__()
            self.heads = heads

        def forward(self, images: Tensor) -> tuple[Tensor | None, ...]:
            return self.heads

    def loss(*heads: Tensor | None) -> Tensor:
        return model_loss(Heads(*heads), torch.zeros(1), label)

    label = torch.tensor([0])
    main, other = F.cross_entropy(head(1.0), label), F.cross_entropy(head(2.0), label)
    assert loss(head(1.0), head(2.0)) == pytest.approx(float(main + 0.4 * other))
    assert loss(head(1.0), head(2.0), head(2.0)) == pytest.approx(float(main + 0.6 * other))
    assert loss(head(1.0), None, None) == pytest.approx(float(main))


def test_shifts_move_whole_images_and_repeat_the_border():
    images = torch.arange(2 * 1 * 5 * 5, dtype=torch.float32).reshape(2, 1, 5, 5)
    moved = shifted(images, torch.Generator().manual_seed(0))
    padded = F.pad(images, (2, 2, 2, 2), mode="replicate")
    windows = padded.unfold(2, 5, 1).unfold(3, 5, 1).reshape(2, 25, 5, 5)
    for image, candidates in zip(moved, windows, strict=True):
        assert any(torch.equal(image[0], candidate) for candidate in candidates)
    large = torch.randn(1, 1, 65, 10)
    assert shifted(large, torch.Generator()) is large


def test_the_learning_rate_rises_then_falls_to_nearly_nothing():
    shares = [schedule(step, 100) for step in range(100)]
    assert shares[0] == pytest.approx(0.1)
    assert shares[9] == 1.0
    assert shares[55] == pytest.approx(0.5)
    assert shares[10:] == sorted(shares[10:], reverse=True)
    assert shares[-1] < 0.001


def test_processors_train_in_the_layout_that_is_safe_for_any_width():
    assert layout(CPU) is torch.contiguous_format
    assert layout(torch.device("cuda")) is torch.channels_last


def test_transformers_get_a_rate_by_their_width():
    assert default_learning_rate(nn.Sequential(nn.LayerNorm(96), nn.LayerNorm(96))) == pytest.approx(0.1 / 96)
    assert default_learning_rate(nn.Sequential(nn.BatchNorm2d(4), nn.Linear(4, 4))) == 0.02


def test_every_recovery_can_be_called_alike(monkeypatch):
    assert set(RECOVERIES) == {
        *("none", "bn", "finetune", "distill", "scratch"),
        *("reconstruct", "lbyl", "variance", "merge"),
    }
    monkeypatch.setattr("explorer.recovery.scratch.build", lambda architecture, seed: net())
    for name in RECOVERIES:
        whole = net().eval()
        origin = Origin(whole, analyse(whole, part(1, 0)[0][0][None]), Plan("net", {"conv": (0, 3)}))
        given = {"origin": origin, "architecture": {}}
        history = recover(name, cut(whole, origin.structure, origin.plan).module, task(), epochs=1, device=CPU, **given)
        assert history.recovery == name
        assert history.to_json()["seconds"] >= 0


def test_no_recovery_from_meaningless_data_and_no_unknown_one():
    with pytest.raises(ExplorerError, match="needs calibration data"):
        recover("bn", net(), task(measured=False, ref="random"), device=CPU)
    with pytest.raises(ExplorerError, match="unknown recovery 'sleep'"):
        recover("sleep", net(), task(), device=CPU)
    recover("none", net(), task(measured=False, ref="random"), device=CPU)


@pytest.mark.slow
def test_half_a_resnet_comes_back_within_two_points():
    loaded = load_model("demo:resnet20-digits")
    digits = load_task("digits", input_shape=loaded.input_shape)
    tensors = {name: tensor.clone() for name, tensor in loaded.module.state_dict().items()}
    for name in [f"layer{stage}.{block}" for stage in (1, 2, 3) for block in range(3)]:
        weight = tensors[f"{name}.conv1.weight"]
        keep = weight.abs().sum((1, 2, 3)).argsort(descending=True)[: len(weight) // 2]
        for key in [key for key in tensors if key.startswith((f"{name}.conv1.", f"{name}.bn1.")) and tensors[key].ndim]:
            tensors[key] = tensors[key][keep]
        tensors[f"{name}.conv2.weight"] = tensors[f"{name}.conv2.weight"][:, keep]
    base = accuracy(loaded.module, digits.test, device=CPU).top1
    adapt(loaded.module, tensors)
    assert accuracy(loaded.module, digits.test, device=CPU).top1 < base - 0.2
    finetune(loaded.module, digits, epochs=6, device=CPU)
    assert accuracy(loaded.module, digits.test, device=CPU).top1 > base - 0.02


class Kept:
    """A memory in this process, which stops the training after an epoch."""

    def __init__(self, stop: int) -> None:
        self.stop, self.reached = stop, None

    def recall(self) -> Reached | None:
        return self.reached

    def keep(self, reached: Reached) -> None:
        self.reached = reached
        if reached.epoch == self.stop:
            raise Cancelled


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.SGD])
@pytest.mark.parametrize("stop", [1, 4])
def test_an_interrupted_training_goes_on_to_the_same_weights(stop, optimizer):
    class Asked(Regime):
        def optimizer(self, module, rate, further):
            momentum = {"momentum": 0.9} if optimizer is torch.optim.SGD else {}
            return optimizer(module.parameters(), rate, **momentum)

    settings = {"device": CPU, "epochs": 6, "seed": 3, "learning_rate": 0.01, "patience": 9, "regime": Asked()}
    whole, resumed, memory = net(), net(), Kept(stop)
    expected = finetune(whole, task(), **settings)
    with pytest.raises(Cancelled):
        finetune(resumed, task(), memory=memory, **settings)
    memory.stop, fresh = 0, net()
    found = finetune(fresh, task(), memory=memory, **settings)
    assert torch.equal(weights_of(fresh), weights_of(whole))
    assert torch.equal(fresh.bn.running_var, whole.bn.running_var)
    assert [replace(epoch, seconds=0) for epoch in found.epochs] == [replace(e, seconds=0) for e in expected.epochs]
    assert (found.start, found.best, found.stopped_early) == (expected.start, expected.best, expected.stopped_early)


def test_a_training_that_had_ended_is_not_gone_on_with():
    memory = Kept(0)
    finetune(net(), task(), device=CPU, epochs=2, memory=memory)
    fresh, before = net(), memory.reached
    history = finetune(fresh, task(), device=CPU, epochs=2, memory=memory)
    assert memory.reached is before
    assert len(history.epochs) == 2
