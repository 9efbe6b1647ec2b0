"""Fine-tuning: training the cut network further, keeping its best epoch."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from explorer.batches import fetch, to_device
from explorer.device import BatchSize
from explorer.distributed import by_main
from explorer.errors import ExplorerError, ResourceError
from explorer.progress import Report, part, silent
from explorer.recovery.batchnorm import even_batches, recalibrate
from explorer.recovery.registry import Epoch, History, recovery
from explorer.recovery.training import (
    Learner,
    Objective,
    Regime,
    accelerated,
    default_learning_rate,
    layout,
    seeded,
    synchronised,
)
from explorer.recovery.work import Work
from explorer.tasks import TASK_KINDS, Accuracy, Quality, evaluate

if TYPE_CHECKING:
    from accelerate import Accelerator

EPOCHS = 8
MOST_GRADIENT = 5.0
TASK_LOSS = Objective()
USUAL = Regime()


@recovery(
    "finetune",
    title="Fine-tuning",
    explanation="Recalibrates batch norm, then trains on the training images and keeps the epoch that is best on the "
    "validation slice. Minutes rather than seconds, and nearly all of the accuracy.",
    needs={"training data"},
    cost="1 forward and 1 backward per epoch",
    rank=15,
)
def finetuning(module: nn.Module, work: Work) -> History:
    epochs = EPOCHS if work.epochs is None else work.epochs
    return finetune(module, work.task, epochs=epochs, seed=work.seed, device=work.device, report=work.report)


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
    if regime.recalibrates and len(task.calibration) >= 2:
        recalibrate(module, task.calibration, device=device, seed=seed, report=part(report, 0, 0.05))
    with (
        accelerated(device) as accelerator,
        _visiting(module, device),
        seeded(seed, device, accelerator.process_index) as generator,
    ):
        trainer = _Trainer(
            module, task, objective, regime, epochs, rate, batch_size, generator, accelerator, part(report, 0.05, 1)
        )
        with objective.ready(module, trainer.glance(), device) as further, synchronised(module, accelerator):
            trainer.run(max(4, -(-epochs // 3)) if patience is None else patience, further)
    return History(
        name,
        seconds=perf_counter() - began,
        epochs=tuple(trainer.history),
        start=trainer.start.value,
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


@dataclass
class _Trainer:
    module: nn.Module
    task: Any
    objective: Objective
    regime: Regime
    epochs: int
    rate: float
    batch_size: int
    generator: torch.Generator
    accelerator: "Accelerator"
    report: Report
    history: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0

    def glance(self) -> Tensor:
        """A batch of inputs from all over the training data, on the device."""
        places = torch.linspace(0, len(self.task.train) - 1, min(self.batch_size, len(self.task.train))).long()
        return fetch(self.task.train, places)[0].to(self.accelerator.device)

    def run(self, patience: int, further: list[nn.Parameter]) -> None:
        """Trains, and leaves the module with its best weights; `further` parameters are the objective's."""
        self.optimizer = self.accelerator.prepare_optimizer(self.regime.optimizer(self.module, self.rate, further))
        self.learner = self.accelerator.prepare_model(Learner(self.module, self.objective, further))
        self.micro = BatchSize(self.batch_size)
        batches = self._batches()
        self.steps_per_epoch = len(batches)
        if len(batches[-1]) < 2 * self.accelerator.num_processes > 2:
            raise ExplorerError(
                f"{self.accelerator.num_processes} processes can't share batches of {len(batches[-1])} samples: each "
                "needs two, so launch fewer"
            )
        self.start = self.latest = best = self._validate()
        kept, risen = self._snapshot(), 0
        for epoch in range(1, self.epochs + 1):
            start = perf_counter()
            loss = self._train(epoch)
            self.latest = latest = self._validate()
            rate, seconds = self.optimizer.param_groups[0]["lr"], perf_counter() - start
            self.history.append(Epoch(epoch, loss, latest.value, latest.loss, rate, seconds))
            risen = epoch if latest.value > best.value else risen
            if not self.regime.chooses or (latest.value, -latest.loss) > (best.value, -best.loss):
                best, kept, self.best_epoch = latest, self._snapshot(), epoch
            if epoch - risen >= patience:
                break
        self.module.load_state_dict(kept)
        self.report(1.0, f"kept epoch {self.best_epoch}", **{self.task.metric: best.value})

    def _batches(self) -> tuple[Tensor, ...]:
        order = torch.randperm(len(self.task.train), generator=self.generator)
        return even_batches(order, self.batch_size)

    def _train(self, epoch: int) -> float:
        """One epoch; the mean loss over its batches.

        The processes draw the same batches and take their shares: a loader that `accelerate` shards would repeat
        samples to fill the last batch, and draw in another order than one process does.
        """
        self.module.train()
        total = 0.0
        for index, indices in enumerate(self._batches()):
            step = (epoch - 1) * self.steps_per_epoch + index
            share = self.regime.share(step, self.epochs * self.steps_per_epoch)
            for group in self.optimizer.param_groups:
                group["lr"] = self.rate * share
            shares = [len(share) for share in indices.tensor_split(self.accelerator.num_processes)]
            first = sum(shares[: self.accelerator.process_index])
            inputs, labels = fetch(self.task.train, indices[first:][: shares[self.accelerator.process_index]])
            if augment := TASK_KINDS[self.task.kind].augment:
                inputs = augment(inputs, self.generator, len(indices), first)
            loss = self._step(inputs, labels, len(indices))
            total += loss
            done = (step + 1) / (self.epochs * self.steps_per_epoch)
            metrics = {"loss": loss, self.task.metric: self.latest.value}
            self.report(done, f"epoch {epoch} of {self.epochs}", **metrics)
        self._average_statistics()
        return total / self.steps_per_epoch

    def _step(self, inputs: Tensor, labels: Any, whole: int) -> float:
        """Learns from a share of a batch of `whole`; the loss of the whole."""
        if self.accelerator.num_processes == 1:
            loss = self.micro.retry(lambda size: self._gradients(inputs, labels, whole, size))
        else:
            loss = self._gradients_together(inputs, labels, whole)
        if not isfinite(loss):
            raise ExplorerError("the training loss is no longer finite: use a lower learning rate or cut less")
        self.accelerator.clip_grad_norm_(self.module.parameters(), MOST_GRADIENT)
        self.optimizer.step()
        return loss

    def _gradients_together(self, inputs: Tensor, labels: Any, whole: int) -> float:
        """Like `_gradients`, in each process for its share; no process can repeat its own while the others wait."""
        try:
            loss = self._gradients(inputs, labels, whole, whole)
        except torch.OutOfMemoryError as error:
            raise ResourceError(
                f"the device has too little memory for its share of a batch of {whole}: launch more processes, or a "
                "single one, which goes on with smaller batches"
            ) from error
        return self.accelerator.reduce(torch.tensor(loss, device=self.accelerator.device), "sum").item()

    def _gradients(self, inputs: Tensor, labels: Any, whole: int, size: int) -> float:
        """Leaves the gradients of a batch's mean loss, in parts of `size`; returns the share of these samples in it."""
        self.optimizer.zero_grad(set_to_none=True)
        device, total = self.accelerator.device, 0.0
        for indices in even_batches(torch.arange(len(labels)), size):
            chosen = slice(int(indices[0]), int(indices[-1]) + 1)
            batch = inputs[chosen].to(device)
            if batch.dim() == 4:
                batch = batch.to(memory_format=layout(device))
            loss = self.learner(batch, to_device(labels[chosen], device))
            # Gradients become the mean over the processes, whose shares can differ by one sample.
            self.accelerator.backward(loss * (len(indices) / whole * self.accelerator.num_processes))
            total += loss.item() * len(indices) / whole
        return total

    def _average_statistics(self) -> None:
        if self.accelerator.num_processes > 1:
            for buffer in self.module.buffers():
                if buffer.is_floating_point():
                    buffer.copy_(self.accelerator.reduce(buffer, "mean"))

    def _validate(self) -> Accuracy | Quality:
        kind, size, device = self.task.kind, 4 * self.batch_size, self.accelerator.device
        return by_main(lambda: evaluate(self.module, self.task.validation, kind=kind, device=device, batch_size=size))

    def _snapshot(self) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self.module.state_dict().items()}
