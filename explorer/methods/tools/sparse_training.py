"""Training of the weights that are left, in segments that go on where the last one ended."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from explorer.methods.spec import Spec
from explorer.methods.tools import steps
from explorer.methods.tools.sparse_schedule import Segment
from explorer.progress import Report
from explorer.pruning.unstructured import Masks, apply, held
from explorer.recovery import History, finetune, recalibrate
from explorer.recovery.training import Regime, remembered, reminded, schedule
from explorer.tasks import evaluate


class Trained(NamedTuple):
    """What a segment's training did, and the optimiser's memory."""

    history: History
    optimizer: dict[str, Tensor]


class Continued(Regime):
    """A segment's share of a longer training, with the optimiser's memory of the earlier ones.

    Args:
        segment: of the training.
        stretch: how many epochs since the last restart came before it, and how many there are until the next.
        earlier: the optimiser's memory.
    """

    recalibrates = False

    def __init__(self, segment: Segment, stretch: tuple[int, int], earlier: dict[str, Tensor]) -> None:
        self.chooses = segment.chooses
        self._segment, self._stretch, self._earlier = segment, stretch, earlier
        self._made: torch.optim.Optimizer | None = None

    def optimizer(self, module: nn.Module, rate: float, further: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        training = self._segment.training
        if training.optimizer is None:
            self._made = super().optimizer(module, rate, further)
        else:
            self._made = training.optimizer(module, rate)
        reminded(self._made, self._earlier)
        return self._made

    def share(self, step: int, steps: int) -> float:
        if self._segment.training.constant:
            return 1.0
        before, total = (round(epochs * steps / self._segment.epochs) for epochs in self._stretch)
        return schedule(before + step, total)

    def memory(self) -> dict[str, Tensor]:
        """What the optimiser remembers, see `remembered`."""
        return remembered(self._made)


def train(
    module: nn.Module,
    masks: Masks,
    segment: Segment,
    regime: Continued,
    subject: steps.Subject,
    spec: Spec,
    *,
    seed: int,
    report: Report,
) -> Trained:
    """Trains a module in place, the masks held; a segment without epochs only recalibrates, where that is asked."""
    if not segment.epochs:
        apply(module, masks)
        return Trained(_untrained(module, subject, spec, report), {})
    with held(module, masks) as holding:
        history = finetune(
            module,
            subject.task,
            device=subject.device,
            epochs=segment.epochs,
            seed=seed,
            learning_rate=segment.training.rate,
            patience=segment.training.patience if segment.chooses else segment.epochs,
            objective=segment.training.objective(holding),
            regime=regime,
            name=spec.recover,
            report=report,
        )
    return Trained(history, regime.memory())


def _untrained(module: nn.Module, subject: steps.Subject, spec: Spec, report: Report) -> History:
    task, history = subject.task, History("none", seconds=0.0)
    if spec.recover == "bn":
        history = recalibrate(module, task.calibration, device=subject.device, seed=spec.seed, report=report)
    quality = evaluate(module, task.validation, kind=task.kind, device=subject.device)
    return History(history.recovery, history.seconds, start=quality.value, metric=task.metric)
