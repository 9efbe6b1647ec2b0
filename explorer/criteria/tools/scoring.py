"""Scoring a model's groups with one criterion, and leaving the model as it was."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import torch
from torch import nn

from explorer.batches import Samples
from explorer.criteria.tools.context import Context, calibration_slice
from explorer.criteria.tools.registry import CRITERIA, Criterion
from explorer.device import BatchSize, choose_device
from explorer.errors import ExplorerError
from explorer.modules import borrowed
from explorer.progress import Report, silent
from explorer.structure.types import Structure


@dataclass(frozen=True)
class Scores:
    """What every unit of every group is worth to one criterion.

    Scores of different groups are not on one scale: see `explorer.budget.NORMALISERS`.

    Args:
        criterion: its name.
        seconds: that it took.
        groups: the scores of every group's units, float64 of shape (units,), higher = keep.
        skipped: the groups that the criterion can't score, with the reason; they stay whole.
    """

    criterion: str
    seconds: float
    groups: dict[str, np.ndarray] = field(repr=False)
    skipped: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict:
        groups = {name: values.tolist() for name, values in self.groups.items()}
        return {"criterion": self.criterion, "seconds": self.seconds, "groups": groups, "skipped": self.skipped}


def score(
    name: str,
    module: nn.Module,
    structure: Structure,
    data: Samples | None = None,
    *,
    options: Mapping[str, str] = MappingProxyType({}),
    device: torch.device | str = "auto",
    batch_size: int = 100,
    samples: int | None = None,
    seed: int = 0,
    report: Report = silent,
) -> Scores:
    """Scores every group of `structure` with the criterion `name`, in float32 and eval mode.

    The module comes back as it was: device, weights, modes, gradients, hooks.

    Args:
        name: of the criterion.
        module: whose units are scored.
        structure: of the module.
        data: (image, label) pairs; criteria that need no inputs ignore it.
        options: settings of the criterion that differ from their defaults.
        device: on which it computes; criteria that need no inputs stay on the module's.
        batch_size: inputs that go through the module at once, fewer where memory is short.
        samples: how many examples are taken from the data, seeded; None: all.
        seed: of all that is drawn.
        report: hears how far it is.

    Raises:
        ExplorerError: an unknown criterion or option, missing data, a score that isn't finite, or no group that the
            criterion can score.
    """
    criterion = usable(name, data)
    settings = criterion.read(options)
    if not structure.groups:
        raise ExplorerError("the model has no group that could be cut: inspect it to see what blocks each layer")
    if criterion.needs & {"inputs", "labels"}:
        device = choose_device(device) if isinstance(device, str) else device
    else:
        data, device = None, next(module.parameters()).device
    started = time.perf_counter()
    with opened(
        module, structure, data, device, batch_size=batch_size, samples=samples, seed=seed, report=report
    ) as context:
        answers = criterion.function(context, **settings)
    return sorted_out(criterion, structure, answers, time.perf_counter() - started)


def usable(name: str, data: Samples | None) -> Criterion:
    """The criterion `name`, if it is known and has the data that it needs.

    Raises:
        ExplorerError: it isn't, or hasn't.
    """
    criterion = CRITERIA.get(name)
    if criterion.needs & {"inputs", "labels"} and (data is None or len(data) == 0):
        raise ExplorerError(f"criterion {name} needs data to look at and there is none: give --data with images")
    return criterion


def sorted_out(criterion: Criterion, structure: Structure, answers: dict, seconds: float) -> Scores:
    """Splits a criterion's scores from its reasons, in the structure's order.

    Raises:
        ExplorerError: there are reasons alone, or a score isn't finite.
    """
    skipped = {name: answers[name] for name in structure.groups if isinstance(answers[name], str)}
    groups = {name: np.asarray(answers[name], np.float64) for name in structure.groups if name not in skipped}
    if not groups:
        reason = next(iter(skipped.values()))
        raise ExplorerError(f"criterion {criterion.name} can score no group of this model ({reason}): use another one")
    for name, values in groups.items():
        if not np.isfinite(values).all():
            raise ExplorerError(
                f"criterion {criterion.name} gives a score that isn't finite for group {name}: look for NaN or "
                "infinite values in the model's weights and in the data"
            )
    return Scores(criterion.name, seconds, groups, skipped)


@contextmanager
def opened(
    module: nn.Module,
    structure: Structure,
    data: Samples | None,
    device: torch.device,
    *,
    batch_size: int = 100,
    samples: int | None = None,
    seed: int = 0,
    report: Report = silent,
) -> Iterator[Context]:
    """What a criterion works with: the module, `prepared`, and a slice of the data, see `calibration_slice`."""
    chosen = None if data is None else calibration_slice(data, samples, seed)
    with prepared(module, device):
        yield Context(module, structure, chosen, device, BatchSize(batch_size), seed, report)


@contextmanager
def prepared(module: nn.Module, device: torch.device) -> Iterator[None]:
    """The module in eval mode on `device`, no gradient required, no reduced precision; afterwards as it was."""
    fastpath = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)  # it computes without calling the modules that hooks watch
        with (
            borrowed(module, device=device, training=False, gradients=False),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
        ):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fastpath)
