"""When single weights go: a training as a row of segments, each with masks of its own."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from math import ceil, cos, pi

import torch
from torch import nn

from explorer.errors import ExplorerError
from explorer.pruning.unstructured import Holding
from explorer.recovery.finetuning import TASK_LOSS
from explorer.recovery.training import Objective

DROP = 0.3  # of every layer's weights that RigL exchanges first
EXCHANGES = 0.75  # of the epochs begin with an exchange, as in RigL


@dataclass(frozen=True)
class Training:
    """How the weights that are left are trained; by default as in fine-tuning.

    `objective(holding)` is what is made small, `optimizer(module, rate)` what does it; a `constant` rate has neither
    warm-up nor decay.
    """

    objective: Callable[[Holding], Objective] = lambda holding: TASK_LOSS
    optimizer: Callable[[nn.Module, float], torch.optim.Optimizer] | None = None
    rate: float | None = None
    constant: bool = False
    patience: int | None = None


@dataclass(frozen=True)
class Segment:
    """Masks for `sparsity`, then `epochs` of training.

    `restart`: optimiser and learning rate begin anew. `rewind`: the weights are set back to those after that many
    segments, 0 being the beginning. `afresh`: all masks open first, and what was zero may grow. `exchange`: the share
    of every layer's weights that is given up for others. `chooses`: the best epoch stays (or the weights before),
    else the last.
    """

    epochs: int
    sparsity: float
    restart: bool = False
    rewind: int | None = None
    afresh: bool = False
    exchange: float = 0.0
    chooses: bool = False
    training: Training = field(default_factory=Training)


def cubic(step: int, steps: int, sparsity: float) -> float:
    """``s·(1 − (1 − t/n)³)`` (Zhu & Gupta 2017, arXiv:1710.01878)."""
    return sparsity * (1 - (1 - step / steps) ** 3)


def linspace(step: int, steps: int, sparsity: float) -> float:
    """Step t of `steps` evenly spaced values from 0 to s, as DG2PF writes it: nothing goes at first; s for one step."""
    return sparsity if steps == 1 else sparsity * (step - 1) / (steps - 1)


def even(step: int, steps: int, sparsity: float) -> float:
    """``s·t/n``"""
    return sparsity * step / steps


def one_shot(sparsity: float, epochs: int, steps: int, rewind: str) -> list[Segment]:
    return [Segment(epochs, sparsity, chooses=True)]


def gradual(shape: Callable[[int, int, float], float]) -> Callable[..., list[Segment]]:
    """A step of `shape` at the beginning of each of the first `steps` epochs; fewer steps where epochs are fewer."""

    def segments(sparsity: float, epochs: int, steps: int, rewind: str) -> list[Segment]:
        count = min(steps, epochs)
        parts = [Segment(1, shape(step, count, sparsity)) for step in range(1, count + 1)]
        return [*parts[:-1], replace(parts[-1], epochs=epochs - count + 1, chooses=True)]

    return segments


def rounds(sparsity: float, epochs: int, steps: int, rewind: str) -> list[Segment]:
    """Train, remove the same share of what is left, go back, train again (Frankle & Carbin 2019, arXiv:1803.03635).

    The weights go back to the beginning, to those after the first epoch where `rewind` is "early" (Frankle et al.
    2020, arXiv:1912.05671), or not at all.

    Raises:
        ExplorerError: fewer epochs than rounds and the training before them.
    """
    if epochs < steps + 1:
        raise ExplorerError(f"{steps} rounds need at least {steps + 1} epochs: use fewer --steps or more --epochs")
    bounds = [epochs * place // (steps + 1) for place in range(steps + 2)]
    lengths = [stop - start for start, stop in pairwise(bounds)]
    apart = rewind == "early" and lengths[0] > 1  # a segment must end where the weights go back to
    first = [Segment(length, 0.0) for length in ((1, lengths[0] - 1) if apart else lengths[:1])]
    back = {"none": None, "initial": 0, "early": 1}[rewind]
    later = [
        Segment(length, 1 - (1 - sparsity) ** (number / steps), restart=True, rewind=back)
        for number, length in enumerate(lengths[1:], start=1)
    ]
    return [*first, *later[:-1], replace(later[-1], chooses=True)]


def cyclical(sparsity: float, epochs: int, steps: int, rewind: str) -> list[Segment]:
    """The cubic schedule again and again; each later cycle opens all masks and trains a dense epoch first.

    After Srinivas et al. 2022, Cyclical Pruning for Sparse Neural Networks (arXiv:2202.01290). Revived weights begin
    at 0 and have that epoch to grow; the first cycle, dense as it is, prunes at once.

    Raises:
        ExplorerError: fewer than 2 epochs for each cycle, 1 for the first.
    """
    least = 2 * steps - 1
    if epochs < least:
        raise ExplorerError(
            f"{steps} cycles need at least {least} epochs, as each but the first has a dense one and one of pruning: "
            "use fewer --steps or more --epochs"
        )
    bounds = [(epochs + 1) * place // steps for place in range(steps + 1)]
    parts = []
    for start, stop in pairwise(bounds):
        count = stop - start - 1
        pruning = [Segment(1, cubic(step, count, sparsity)) for step in range(1, count + 1)]
        parts += [Segment(1, 0.0, restart=True, afresh=True), *pruning]
    return [*parts[1:-1], replace(parts[-1], chooses=True)]


def regrow(sparsity: float, epochs: int, steps: int, rewind: str) -> list[Segment]:
    """All at once, then exchanges that become smaller along a cosine (RigL, Evci et al. 2020, arXiv:1911.11134).

    Up to three quarters of the epochs begin with one, `steps` of them at most.

    Raises:
        ExplorerError: a single epoch.
    """
    if epochs < 2:
        raise ExplorerError(
            "regrowth exchanges weights between epochs and needs at least 2: use more --epochs, or schedule one-shot"
        )
    count = min(steps, ceil(EXCHANGES * epochs) - 1)
    changed = [
        Segment(1, sparsity, exchange=DROP / 2 * (1 + cos(pi * step / (count + 1)))) for step in range(1, count + 1)
    ]
    parts = [Segment(1, sparsity), *changed]
    return [*parts[:-1], replace(parts[-1], epochs=epochs - len(parts) + 1, chooses=True)]


SCHEDULES: dict[str, Callable[..., list[Segment]]] = {
    "one-shot": one_shot,
    "cubic": gradual(cubic),
    "linear": gradual(even),
    "rounds": rounds,
    "cyclical": cyclical,
    "regrow": regrow,
}


def stretches(segments: Iterable[Segment]) -> list[tuple[int, int]]:
    """Of each segment, how many epochs lie between the last restart and it, and how many the whole stretch has."""
    segments = list(segments)
    number = list(accumulate(int(segment.restart) for segment in segments))
    epochs = [segment.epochs for segment in segments]
    return [
        (
            sum(e for e, n in zip(epochs[:place], number, strict=False) if n == mine),
            sum(e for e, n in zip(epochs, number, strict=True) if n == mine),
        )
        for place, mine in enumerate(number)
    ]
