"""The registry of the ways to give a cut network its accuracy back, and what they say of their work."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from explorer.registry import Entry, Registry

NEEDS = frozenset({"calibration data", "training data"})


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data.

    Args:
        epoch: its number, from 1.
        loss: the mean training loss.
        score: the task's metric on the validation slice afterwards.
        validation_loss: the loss there.
        learning_rate: of its last step.
        seconds: that it took.
    """

    epoch: int
    loss: float
    score: float
    validation_loss: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class History:
    """What a recovery did.

    Args:
        recovery: its name.
        seconds: that it took.
        epochs: that it trained for.
        start: the validation metric before the first epoch.
        best: the number of the epoch that was kept; 0: none.
        stopped_early: whether there were fewer epochs than were asked for.
        warnings: sentences for a person.
        metric: the name of the validation metric.
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


@dataclass(frozen=True, kw_only=True)
class Recovery(Entry):
    """A way to give a cut network its accuracy back.

    `function(module, work) -> History` changes the module in place; `work` is an `explorer.recovery.work.Work`.
    `needs` is a subset of `NEEDS`, empty for those that look at weights alone; `cost` says what it computes.

    Args:
        unfit: the kinds of tasks that it can't serve, with the reason.
    """

    unfit: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.needs <= NEEDS:
            raise ValueError(f"recovery {self.name!r} needs something that is not in {set(NEEDS)}")

    @property
    def trains(self) -> bool:
        """Whether it trains the network, in epochs, and not only looks at what flows through it."""
        return "training data" in self.needs


RECOVERIES: Registry[Recovery] = Registry("recovery", Recovery, decorator="recovery", package="explorer.recovery")
recovery = RECOVERIES.register
