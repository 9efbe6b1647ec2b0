"""The ways to give a cut network its accuracy back, by name."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from explorer.errors import ExplorerError
from explorer.progress import Report, silent

if TYPE_CHECKING:
    from explorer.recovery.before import Origin
    from explorer.recovery.distillation import Teacher


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
    """A registered recovery. `needs` is "nothing", "calibration data" or "training data"; `cost` says what it computes.

    `function(module, task, *, epochs, seed, device, origin, teacher, architecture, report) -> History` changes the
    module in place.
    `unfit` names the kinds of tasks that it can't serve, with the reason.
    """

    name: str
    title: str
    explanation: str
    needs: str
    function: Callable[..., History]
    cost: str
    unfit: Mapping[str, str] = field(default_factory=dict)

    @property
    def trains(self) -> bool:
        """Whether it trains the network, in epochs, and not only looks at what flows through it."""
        return self.needs == "training data"


RECOVERIES: dict[str, Recovery] = {}


def recovery(
    name: str,
    title: str,
    explanation: str,
    needs: str,
    *,
    cost: str,
    unfit: Mapping[str, str] = MappingProxyType({}),
) -> Callable[[Callable], Callable]:
    """Registers a function under `name`."""

    def register(function: Callable[..., History]) -> Callable[..., History]:
        RECOVERIES[name] = Recovery(name, title, explanation, needs, function, cost, dict(unfit))
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
    origin: "Origin | None" = None,
    teacher: "Teacher | None" = None,
    architecture: dict[str, Any] | None = None,
    report: Report = silent,
) -> History:
    """Applies the recovery called `name` to the module, in place.

    Args:
        epochs: None for the recovery's own default.
        origin: what the module was cut from, and how.
        teacher: what distillation imitates, by default the origin.
        architecture: what `explorer.sources.build` makes the network from, which training from scratch begins with.

    Raises:
        ExplorerError: see `suitable`.
    """
    function = suitable(name, task).function
    return function(
        module,
        task,
        epochs=epochs,
        seed=seed,
        device=device,
        origin=origin,
        teacher=teacher,
        architecture=architecture,
        report=report,
    )


def suitable(name: str, task: Any) -> Recovery:
    """The recovery called `name`, if it can serve the task.

    Raises:
        ExplorerError: it is unknown, needs data that the task hasn't, or can't serve tasks of this kind.
    """
    if name not in RECOVERIES:
        raise ExplorerError(f"unknown recovery {name!r}: use {', '.join(RECOVERIES)}")
    entry = RECOVERIES[name]
    if entry.needs != "nothing" and not task.measured:
        raise ExplorerError(
            f"recovery {name!r} needs {entry.needs}, and {task.ref!r} has none that means anything: "
            "choose real data, or --recover none"
        )
    if reason := entry.unfit.get(task.kind):
        raise ExplorerError(f"recovery {name!r} can't serve {task.kind} ({reason}): use --recover finetune")
    return entry


@recovery(
    "none", "None", "Leaves the network as the cut made it: the honest starting point.", "nothing", cost="nothing"
)
def nothing(module: nn.Module, task: Any, **unused: Any) -> History:
    return History("none", seconds=0.0)
