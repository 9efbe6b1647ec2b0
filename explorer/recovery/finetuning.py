"""Fine-tuning: training the cut network further, keeping its best epoch."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import torch
from torch import nn

from explorer.errors import ExplorerError
from explorer.progress import Report, part, silent
from explorer.recovery.batchnorm import recalibrate
from explorer.recovery.memory import Memory
from explorer.recovery.registry import History, recovery
from explorer.recovery.trainer import Trainer
from explorer.recovery.training import (
    Objective,
    Regime,
    accelerated,
    default_learning_rate,
    layout,
    seeded,
    synchronised,
)
from explorer.recovery.work import Work

EPOCHS = 8
TASK_LOSS = Objective()
USUAL = Regime()


class Onward(Regime):
    """The usual regime from where a repair has led: new batch-norm statistics would take away of what it gave."""

    recalibrates = False


def regime_for(work: Work) -> Regime:
    """How a cut network is trained: as usual, or onward if it was repaired."""
    return Onward() if work.repaired else USUAL


@recovery(
    "finetune",
    title="Fine-tuning",
    explanation="Recalibrates batch norm, then trains on the training images and keeps the epoch that is best on the "
    "validation slice. Minutes rather than seconds, and nearly all of the accuracy.",
    needs={"training data"},
    cost="1 forward and 1 backward per epoch",
    reference="Han et al. 2015, Learning both Weights and Connections (arXiv:1506.02626)",
    rank=15,
)
def finetuning(module: nn.Module, work: Work) -> History:
    epochs = EPOCHS if work.epochs is None else work.epochs
    return finetune(
        module,
        work.task,
        epochs=epochs,
        seed=work.seed,
        device=work.device,
        regime=regime_for(work),
        report=work.report,
    )


def finetune(
    module: nn.Module,
    task: Any,
    *,
    device: torch.device,
    epochs: int = EPOCHS,
    seed: int = 0,
    learning_rate: float | None = None,
    batch_size: int = 64,
    patience: int | None = None,
    objective: Objective = TASK_LOSS,
    regime: Regime = USUAL,
    name: str = "finetune",
    memory: Memory | None = None,
    report: Report = silent,
) -> History:
    """Trains the module on `task.train`, in place, after recalibrating its batch norms.

    SGD with momentum, or AdamW for transformers, with a short warm-up and a cosine, gradients clipped to a norm of 5;
    images of one class, up to 64 px, are shifted by up to two pixels. The weights of the epoch with the best validation
    metric (of equals the lowest validation loss) are kept, those before training included; training ends after
    `patience` epochs without a higher one.
    A batch that does not fit in memory is summed from smaller ones, which is logged. The module comes back on
    its own device, in its own mode.

    Processes that were launched together share every batch of `batch_size`, average their gradients and stay alike;
    the main one validates for all. On CUDA batch norm sees the whole batch; elsewhere each process normalises its
    share by the share's own statistics, and the running ones are averaged after every epoch.

    Args:
        module: the network.
        task: with the data to train on and to judge by.
        device: on which it computes.
        epochs: at most.
        seed: of all that is drawn.
        learning_rate: the peak; by default see `default_learning_rate`.
        batch_size: samples in a step.
        patience: by default a third of the epochs, at least 4.
        objective: what is made small; by default the task's loss.
        regime: how it is made small; by default as above.
        name: of the recovery, for the history.
        memory: where the training keeps how far it is after every epoch; one that is found there goes on, to the same
            weights as without the interruption. By default nothing is kept.
        report: gets `loss` (of the batch) and the task's metric (last validation) under its name after every batch.

    Raises:
        ExplorerError: fewer than two training samples, no validation sample, a bad number of epochs, the loss is
            not finite, not even the smallest batch fits in memory, or too many processes share a batch.
    """
    if len(task.train) < 2 or len(task.validation) == 0:
        raise ExplorerError(f"recovery {name!r} needs training and validation data: give more data, or use none")
    if epochs < 1:
        raise ExplorerError(f"recovery {name!r} can't run for {epochs} epochs: use 1 or more, or recover with none")
    began, rate = perf_counter(), learning_rate or default_learning_rate(module)
    reached = None if memory is None else memory.recall()
    if reached is None and regime.recalibrates and len(task.calibration) >= 2:
        recalibrate(module, task.calibration, device=device, seed=seed, report=part(report, 0, 0.05))
    with (
        accelerated(device) as accelerator,
        _visiting(module, device),
        seeded(seed, device, accelerator.process_index) as generator,
    ):
        share = part(report, 0.05, 1)
        trainer = Trainer(module, task, objective, regime, epochs, rate, batch_size, generator, accelerator, share)
        with objective.ready(module, trainer.glance(), device) as further, synchronised(module, accelerator):
            trainer.prepare(further)
            trainer.begin(reached)
            trainer.run(max(4, -(-epochs // 3)) if patience is None else patience, memory)
    return History(
        name,
        seconds=perf_counter() - began,
        epochs=tuple(trainer.history),
        start=trainer.start,
        best=trainer.best_epoch,
        stopped_early=len(trainer.history) < epochs,
        metric=task.metric,
    )


@contextmanager
def _visiting(module: nn.Module, device: torch.device) -> Iterator[None]:
    """The module on `device`, trainable, in the `layout` for it; then as before."""
    home = next(module.parameters()).device
    modes = [(layer, layer.training) for layer in module.modules()]
    try:
        module.to(device, memory_format=layout(device)).requires_grad_(True)
        yield
    finally:
        module.to(home, memory_format=torch.contiguous_format)
        module.zero_grad(set_to_none=True)
        for layer, training in modes:
            layer.training = training
