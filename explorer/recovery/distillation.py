"""Distillation: training the cut network to do what a larger one does, in its outputs and on the way there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.batches import evaluating
from explorer.device import BatchSize
from explorer.errors import ExplorerError
from explorer.modules import watching
from explorer.recovery.before import Teacher
from explorer.recovery.finetuning import EPOCHS, finetune, regime_for
from explorer.recovery.registry import History, recovery
from explorer.recovery.training import Objective
from explorer.recovery.work import Work
from explorer.structure.types import Tap
from explorer.tasks import TASK_KINDS, model_loss

TEMPERATURE = 4.0
OUTPUTS = 0.5  # of the loss: the teacher's outputs; what is left to 1: the labels
FEATURES = 0.5  # added for the activations, as in IFAP
_RIDGE = 1e-3  # of a feature's mean square, so that dead channels do no harm


@recovery(
    "distill",
    title="Distillation",
    explanation="Fine-tuning that also imitates the network before the cut: its outputs, and its activations at three"
    " places. Half as long again as fine-tuning, and worth it after deep cuts.",
    needs={"training data"},
    cost="2 forwards and 1 backward per epoch",
    unfit={"detection": "boxes have no outputs that could be compared place by place"},
    reference="Hinton et al. 2015, Distilling the Knowledge in a Neural Network (arXiv:1503.02531); "
    "Romero et al. 2015, FitNets (arXiv:1412.6550)",
    rank=20,
)
def distillation(module: nn.Module, work: Work) -> History:
    teacher, origin = work.teacher, work.origin
    if teacher is None and origin is not None:
        teacher = Teacher.of(origin.module, origin.left)
    if teacher is None:
        raise ExplorerError("recovery 'distill' needs a teacher: give the network before the cut, or use finetune")
    return finetune(
        module,
        work.task,
        epochs=EPOCHS if work.epochs is None else work.epochs,
        seed=work.seed,
        device=work.device,
        objective=Imitation(teacher, work.task.kind),
        regime=regime_for(work),
        name="distill",
        report=work.report,
    )


class Imitation(Objective):
    """``½·labels + ½·outputs + ½·activations``.

    - labels: the task's own loss;
    - outputs: ``T²·KL(teacher ‖ student)`` of the softmax at temperature T = 4 (Hinton et al. 2015,
      arXiv:1503.02531), for label maps averaged over places; the squared difference of scores;
    - activations: the mean over the taps of ``‖P·s − t‖² / ‖t‖²``, with a learnt matrix P from the student's channels
      to the teacher's where there are fewer (FitNets, Romero et al. 2015, arXiv:1412.6550), which begins at the least
      squares fit and is dropped at the end.

    IFAP's code compares activations by L1; the relative square does not depend on their scale. Of processes that
    share a batch each divides by ‖t‖² of its own share.
    """

    def __init__(self, teacher: Teacher, kind: str) -> None:
        self._teacher, self._kind = teacher.module, kind
        self._taps = teacher.taps
        self._projections: dict[Tap, nn.Parameter] = {}

    @contextmanager
    def ready(self, module: nn.Module, inputs: Tensor, device: torch.device) -> Iterator[list[nn.Parameter]]:
        with evaluating(self._teacher, device):
            with evaluating(module, device), torch.no_grad():
                pair, size = (module, self._teacher), BatchSize(len(inputs))
                seen, wanted = size.retry(lambda n: [_look(network, inputs[:n], self._taps) for network in pair])
            self._projections = {
                tap: nn.Parameter(least_squares(torch.stack(seen.features[tap]), torch.stack(there)))
                for tap, there in wanted.features.items()
                if there[0].shape[-1] != seen.features[tap][0].shape[-1]
            }
            yield list(self._projections.values())
            self._projections = {}

    def __call__(self, module: nn.Module, inputs: Tensor, labels: Any) -> Tensor:
        with torch.no_grad():
            wanted = _look(self._teacher, inputs, self._taps)
        with _showing(module, self._taps) as seen:
            loss = (1 - OUTPUTS) * model_loss(module, inputs, labels)
        loss = loss + OUTPUTS * output_distance(seen.outputs, wanted.outputs, self._kind)
        distances = [
            relative_square(self._projected(tap, mine), there)
            for tap, calls in wanted.features.items()
            for mine, there in zip(seen.features[tap], calls, strict=True)
        ]
        return loss + FEATURES * sum(distances) / max(1, len(distances))

    def _projected(self, tap: Tap, features: Tensor) -> Tensor:
        projection = self._projections.get(tap)
        return features if projection is None else F.linear(features, projection)


def output_distance(outputs: Tensor, wanted: Tensor, kind: str) -> Tensor:
    """How far a student's outputs are from the teacher's: (batch, classes), (batch, classes, h, w) or (batch, 1)."""
    if not TASK_KINDS[kind].logits:
        return F.mse_loss(outputs.float(), wanted.float())
    student, teacher = (F.log_softmax(logits.float() / TEMPERATURE, dim=1) for logits in (outputs, wanted))
    divergence = F.kl_div(student, teacher, reduction="none", log_target=True).sum(1)
    return TEMPERATURE**2 * divergence.mean()


def relative_square(features: Tensor, wanted: Tensor) -> Tensor:
    """``mean((features − wanted)²) / mean(wanted²)``; of activations that are all zero the plain mean square."""
    size = wanted.float().square().mean()
    return F.mse_loss(features.float(), wanted.float()) / torch.where(size > 0, size, 1.0)


def least_squares(features: Tensor, wanted: Tensor) -> Tensor:
    """The matrix (channels wanted, channels) that maps features (…, channels) nearest to (…, channels wanted)."""
    x, y = (tensor.flatten(0, -2).cpu().double() for tensor in (features, wanted))
    gram = x.T @ x
    ridge = _RIDGE * gram.diagonal().mean().clamp_min(torch.finfo(torch.float32).tiny)
    return torch.linalg.solve(gram + ridge * torch.eye(len(gram), dtype=gram.dtype), x.T @ y).T.to(features)


@dataclass
class _Seen:
    """What one forward pass showed: the outputs, and per tap an activation (…, channels) for every call."""

    outputs: Tensor | None = None
    features: dict[Tap, list[Tensor]] = field(default_factory=dict)

    def take(self, tap: Tap, layer: nn.Module, inputs: Any, output: Any) -> None:
        shown = output[0] if isinstance(output, tuple) else output  # attention gives its weights too
        kept = shown.clone()  # what follows may write into it
        activation = getattr(F, tap.activation)(kept) if tap.activation else kept
        self.features.setdefault(tap, []).append(activation.movedim(tap.axis, -1))

    def finish(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self.outputs = output if isinstance(output, Tensor) else output[0]  # auxiliary heads come after the main one


@contextmanager
def _showing(module: nn.Module, taps: tuple[Tap, ...]) -> Iterator[_Seen]:
    """What a forward pass inside it shows; no hook outlives it."""
    seen = _Seen()
    with watching(module, [*((tap.module, partial(seen.take, tap)) for tap in taps), ("", seen.finish)]):
        yield seen


def _look(module: nn.Module, inputs: Tensor, taps: tuple[Tap, ...]) -> _Seen:
    with _showing(module, taps) as seen:
        module(inputs)
    return seen
