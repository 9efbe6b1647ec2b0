"""The ways to give a cut network its accuracy back, by name."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from explorer.errors import ExplorerError
from explorer.progress import Report, silent


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data: mean training loss, then the task's metric and loss on the validation slice."""

    epoch: int
    loss: float
    score: float
    validation_loss: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class History:
    """What a recovery did.

    `start` is the validation metric before the first epoch, `metric` its name, `best` the epoch kept (0: none).
    """

    recovery: str
    seconds: float
    epochs: tuple[Epoch, ...] = ()
    start: float | None = None
    best: int = 0
    stopped_early: bool = False
    warnings: tuple[str, ...] = ()
    metric: str = "top1"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Recovery:
    """A registered recovery. `needs` is "nothing", "calibration data" or "training data".

    `function(module, task, *, epochs, seed, device, report) -> History` changes the module in place.
    """

    name: str
    title: str
    explanation: str
    needs: str
    function: Callable[..., History]


RECOVERIES: dict[str, Recovery] = {}


def recovery(name: str, title: str, explanation: str, needs: str) -> Callable[[Callable], Callable]:
    """Registers a function under `name`."""

    def register(function: Callable[..., History]) -> Callable[..., History]:
        RECOVERIES[name] = Recovery(name, title, explanation, needs, function)
        return function

    return register


def recover(
    name: str,
    module: nn.Module,
    task: Any,
    *,
    device: torch.device,
    epochs: int | None = None,
    seed: int = 0,
    report: Report = silent,
) -> History:
    """Applies the recovery called `name` to the module, in place. `epochs` None: the recovery's own default.

    Raises:
        ExplorerError: the recovery is unknown, or needs data that the task hasn't.
    """
    if name not in RECOVERIES:
        raise ExplorerError(f"unknown recovery {name!r}: use {', '.join(RECOVERIES)}")
    entry = RECOVERIES[name]
    if entry.needs != "nothing" and not task.measured:
        raise ExplorerError(
            f"recovery {name!r} needs {entry.needs}, and {task.ref!r} has none that means anything: "
            "choose real data, or --recover none"
        )
    return entry.function(module, task, epochs=epochs, seed=seed, device=device, report=report)


@recovery("none", "None", "Leaves the network as the cut made it: the honest starting point.", "nothing")
def nothing(module: nn.Module, task: Any, **unused: Any) -> History:
    return History("none", seconds=0.0)
