"""The schedule inside the loops of other programs."""

import json
import runpy
import sys
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

import explorer as ex
from tests.loops.nets import batches, network, problem, samples

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.filterwarnings("ignore:.*are too large to come nearer")  # units of narrow networks
OPTIONS = {"keep": {"macs": 0.5}, "method": "taylor", "end": 6, "every": 2, "penalty": 1e-4}


class Callback:
    """As Lightning has it: hooks that do nothing, and a key for the callback's part of a checkpoint."""

    @property
    def state_key(self) -> str:
        return type(self).__qualname__

    def state_dict(self) -> dict[str, Any]:
        return {}


def fit(module: nn.Module, callback: Callback, data: list[tuple[Tensor, Tensor]], added_up: int) -> None:
    """What Lightning's loop does with one optimiser: the closure takes the gradients inside its step."""
    optimizer = torch.optim.AdamW(module.parameters(), 1e-2)
    trainer = SimpleNamespace(optimizers=[optimizer], global_step=0)
    callback.on_train_start(trainer, module)
    for number, (x, y) in enumerate(data):

        def closure(x: Tensor = x, y: Tensor = y, first: bool = number % added_up == 0) -> Tensor:
            loss = F.cross_entropy(module(x), y) / added_up
            if first:
                optimizer.zero_grad()
            loss.backward()
            return loss

        if number % added_up == added_up - 1:
            optimizer.step(closure=closure)
            trainer.global_step += 1
        else:
            closure()
        callback.on_train_batch_end(trainer, module, None, (x, y), number)
    callback.on_train_end(trainer, module)


@pytest.mark.parametrize("added_up", [1, 2])
def test_by_the_hooks_of_lightning(added_up, monkeypatch):
    package, inner = ModuleType("lightning"), ModuleType("lightning.pytorch")
    inner.Callback = Callback
    monkeypatch.setitem(sys.modules, "lightning", package)
    monkeypatch.setitem(sys.modules, "lightning.pytorch", inner)
    module = network()
    ours = problem(module)
    whole = ours.cost.macs
    schedule = ex.Schedule(ours, **OPTIONS)
    callback = schedule.lightning_callback()
    assert isinstance(callback, Callback)
    fit(module, callback, batches(8 * added_up), added_up)
    assert schedule.calls == 8
    assert ours.cost.macs == pytest.approx(0.5 * whole, rel=0.03)
    assert callback.state_dict() == schedule.state_dict()
    short = ex.Schedule(problem(network()), **OPTIONS)
    with pytest.warns(UserWarning, match="before the last cut"):
        fit(short.problem.module, short.lightning_callback(), batches(added_up), added_up)


def test_a_program_that_is_missing_is_named(monkeypatch):
    for name in ("lightning", "lightning.pytorch", "pytorch_lightning", "transformers"):
        monkeypatch.setitem(sys.modules, name, None)
    schedule = ex.Schedule(problem(network()), **OPTIONS)
    with pytest.raises(ex.ExplorerError, match="pip install lightning"):
        schedule.lightning_callback()
    with pytest.raises(ex.ExplorerError, match="pip install transformers"):
        schedule.trainer_callback()


@pytest.mark.slow
def test_by_lightning_itself(tmp_path):
    lightning = pytest.importorskip("lightning.pytorch")

    class Lit(lightning.LightningModule):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def training_step(self, batch: Any, number: int) -> Tensor:
            return F.cross_entropy(self.inner(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), 1e-2)

    def trained(schedule: ex.Schedule, resumed: Path | None = None) -> None:
        keep = lightning.callbacks.ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=6, save_top_k=-1)
        trainer = lightning.Trainer(
            max_epochs=2,
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            callbacks=[schedule.lightning_callback(), keep],
        )
        trainer.fit(Lit(schedule.problem.module), DataLoader(samples(), batch_size=16), ckpt_path=resumed)

    first, second = (ex.Schedule(problem(network()), **OPTIONS | {"end": 9}) for _ in range(2))
    trained(first)
    checkpoint = tmp_path / "step=6.ckpt"  # the end of the first epoch
    second.load_state_dict(torch.load(checkpoint, weights_only=True)["callbacks"]["explorer.Schedule"])
    trained(second, checkpoint)
    assert second.plan == first.plan
    for mine, theirs in zip(first.problem.module.parameters(), second.problem.module.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.slow
def test_the_example_of_the_trainer_learns_digits_while_it_shrinks(tmp_path):
    main = runpy.run_path(str(ROOT / "examples" / "trainer_callback.py"))["main"]
    ours, schedule = main(folder=str(tmp_path / "small"))
    assert schedule.finished
    assert ours.cost.macs == pytest.approx(0.5 * ours.done.structure.cost().macs, rel=0.01)
    assert ours.evaluate() > 0.8


@pytest.mark.slow
def test_by_the_trainer_of_transformers_which_goes_on_from_a_checkpoint(tmp_path):
    from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

    widths = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = BertConfig(vocab_size=50, max_position_embeddings=16, num_labels=2, **widths)
    ids = torch.randint(3, 50, (128, 8), generator=torch.Generator().manual_seed(0))
    ones, labels = torch.ones_like(ids), (ids[:, 0] > 26).long()
    texts = [{"input_ids": ids[at], "attention_mask": ones[at], "labels": labels[at]} for at in range(len(ids))]

    def begun(**options: Any) -> tuple[nn.Module, ex.Schedule, Trainer]:
        torch.manual_seed(0)
        module = BertForSequenceClassification(config)
        ours = ex.Problem(module, example={"input_ids": ids[:1], "attention_mask": ones[:1]}, device="cpu")
        schedule = ex.Schedule(ours, keep={"macs": 0.5}, method="taylor", end=15, every=5)
        arguments = {"max_steps": 32, "per_device_train_batch_size": 32, "save_steps": 8, "learning_rate": 3e-3}
        arguments |= {"report_to": [], "use_cpu": True, "disable_tqdm": True, "output_dir": str(tmp_path)} | options
        data = {"train_dataset": texts, "eval_dataset": texts, "callbacks": [schedule.trainer_callback()]}
        return module, schedule, Trainer(model=module, args=TrainingArguments(**arguments), **data)

    module, schedule, trainer = begun()
    whole = schedule.problem.cost.macs
    trainer.train()
    assert schedule.finished
    assert schedule.problem.cost.macs == pytest.approx(0.5 * whole, rel=0.01)
    with torch.no_grad():
        answers = module.eval()(ids, ones).logits
    assert (answers.argmax(1) == labels).float().mean() > 0.9
    schedule.problem.save(tmp_path / "small")
    with torch.no_grad():
        again = ex.load(tmp_path / "small", BertForSequenceClassification(config))
        torch.testing.assert_close(again(ids, ones).logits, answers)

    resumed, second, trainer = begun()
    second.load_state_dict(json.loads((tmp_path / "checkpoint-8" / "schedule.json").read_text()))
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-8"))
    assert second.plan == schedule.plan
    for mine, theirs in zip(resumed.parameters(), module.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)

    *_, trainer = begun(load_best_model_at_end=True, eval_strategy="steps", eval_steps=8)
    with pytest.raises(ex.ExplorerError, match="load_best_model_at_end"):
        trainer.train()
    *_, third, trainer = begun(optim="adafactor", max_steps=16, save_strategy="no")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*begins anew")
        trainer.train()
    assert third.finished
