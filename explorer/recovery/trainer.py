"""The loop of every training here: epochs of batches, the best of them kept, resumed after the last one."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from explorer.batches import fetch, to_device
from explorer.device import BatchSize
from explorer.distributed import by_main
from explorer.errors import ExplorerError, ResourceError
from explorer.progress import Report
from explorer.recovery.batchnorm import even_batches
from explorer.recovery.memory import Memory, Reached
from explorer.recovery.registry import Epoch
from explorer.recovery.training import Learner, Objective, Regime, layout, remembered, reminded
from explorer.tasks import TASK_KINDS, evaluate

if TYPE_CHECKING:
    from accelerate import Accelerator

MOST_GRADIENT = 5.0


class Judged(NamedTuple):
    """What the validation slice says of the network: the task's metric, and the loss."""

    value: float
    loss: float

    @property
    def rank(self) -> tuple[float, float]:
        """Greater is better: of equal metrics the lower loss."""
        return self.value, -self.loss


@dataclass
class Trainer:
    """One training of a module, in place; first `prepare`, then `begin`, then `run`.

    Args:
        history: of the epochs so far.
        start: the validation metric before the first of them.
        best: of the epoch that is kept so far, whose number is `best_epoch`; 0: before the first.
        risen: the last epoch with a higher metric than all before it.
    """

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
    start: float = field(init=False)
    best: Judged = field(init=False)
    best_epoch: int = 0
    risen: int = 0

    def glance(self) -> Tensor:
        """A batch of inputs from all over the training data, on the device."""
        places = torch.linspace(0, len(self.task.train) - 1, min(self.batch_size, len(self.task.train))).long()
        return fetch(self.task.train, places)[0].to(self.accelerator.device)

    def prepare(self, further: list[nn.Parameter]) -> None:
        """Makes what learns; `further` parameters are the objective's.

        Raises:
            ExplorerError: too many processes share a batch.
        """
        self.further = further
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

    def begin(self, reached: Reached | None) -> None:
        """Begins before the first epoch, or after the one that an interrupted training had reached."""
        if reached is None:
            self.latest = self.best = self._validate()
            self.start, self.kept = self.best.value, self._snapshot()
            return
        values, weights = reached.values, reached.part("weights")
        self.history = [Epoch(**epoch) for epoch in values["history"]]
        self.start, self.best, self.latest = values["start"], Judged(*values["best"]), Judged(*values["latest"])
        self.best_epoch, self.risen = values["best_epoch"], values["risen"]
        self.module.load_state_dict(weights)
        self.kept = reached.part("best") or weights
        with torch.no_grad():
            for place, tensor in reached.part("further").items():
                self.further[int(place)].copy_(tensor)
        reminded(self.optimizer, reached.part("optimizer"))
        self._draw_on(reached.part("random"))

    def run(self, patience: int, memory: Memory | None) -> None:
        """Trains until the last epoch, or `patience` ones without a higher metric; leaves the best weights."""
        for epoch in range(len(self.history) + 1, self.epochs + 1):
            if self.history and len(self.history) - self.risen >= patience:
                break
            begun = perf_counter()
            loss = self._train(epoch)
            self.latest = latest = self._validate()
            rate, seconds = self.optimizer.param_groups[0]["lr"], perf_counter() - begun
            self.history.append(Epoch(epoch, loss, latest.value, latest.loss, rate, seconds))
            self.risen = epoch if latest.value > self.best.value else self.risen
            if not self.regime.chooses or latest.rank > self.best.rank:
                self.best, self.kept, self.best_epoch = latest, self._snapshot(), epoch
            if memory is not None:
                memory.keep(self._reached(epoch))
            judged = {self.task.metric: latest.value, "loss": loss, "validation_loss": latest.loss}
            self._tell(epoch / self.epochs, epoch, epoch, **judged)
        self.module.load_state_dict(self.kept)
        self.report(1.0, f"kept epoch {self.best_epoch}", **{self.task.metric: self.best.value})

    def _reached(self, epoch: int) -> Reached:
        parts = {
            "weights": self.kept if self.best_epoch == epoch else self._snapshot(),  # which is that epoch's
            "best": {} if self.best_epoch == epoch else self.kept,
            "further": {str(place): parameter.detach() for place, parameter in enumerate(self.further)},
            "optimizer": remembered(self.optimizer),
            "random": self._drawn(),
        }
        values = {
            "history": [asdict(entry) for entry in self.history],
            "start": self.start,
            "best": list(self.best),
            "latest": list(self.latest),
            "best_epoch": self.best_epoch,
            "risen": self.risen,
        }
        named = {f"{part}/{name}": tensor.cpu() for part, entries in parts.items() for name, tensor in entries.items()}
        return Reached(epoch, values, named)

    def _drawn(self) -> dict[str, Tensor]:
        """The states of the generators: of batches, and of what modules draw."""
        states = {"batches": self.generator.get_state(), "modules": torch.get_rng_state()}
        if self.accelerator.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.accelerator.device)
        return states

    def _draw_on(self, states: Mapping[str, Tensor]) -> None:
        self.generator.set_state(states["batches"])
        torch.set_rng_state(states["modules"])
        if "cuda" in states and self.accelerator.device.type == "cuda":
            torch.cuda.set_rng_state(states["cuda"], self.accelerator.device)

    def _batches(self) -> tuple[Tensor, ...]:
        order = torch.randperm(len(self.task.train), generator=self.generator)
        return even_batches(order, self.batch_size)

    def _train(self, epoch: int) -> float:
        """One epoch; the mean loss over its batches.

        The processes draw the same batches and take their shares: a loader that `accelerate` shards would repeat
        samples to fill the last batch, and draw in another order than one process does.
        """
        self.regime.train(self.module)
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
            self._tell(done, epoch, (step + 1) / self.steps_per_epoch, **metrics)
        self._average_statistics()
        return total / self.steps_per_epoch

    def _tell(self, done: float, epoch: int, at: float, **metrics: float) -> None:
        """A report in an epoch, of which `at` have been gone through; one with a validation loss ends it."""
        self.report(done, f"epoch {epoch} of {self.epochs}", epoch=at, epochs=self.epochs, **metrics)

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

    def _validate(self) -> Judged:
        kind, size, device = self.task.kind, 4 * self.batch_size, self.accelerator.device
        found = by_main(lambda: evaluate(self.module, self.task.validation, kind=kind, device=device, batch_size=size))
        return Judged(found.value, found.loss)

    def _snapshot(self) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self.module.state_dict().items()}
