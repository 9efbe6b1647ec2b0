"""What a recovery is given besides the network that it changes."""

from dataclasses import dataclass
from typing import Any

import torch

from explorer.errors import ExplorerError
from explorer.progress import Report, silent
from explorer.recovery.before import Origin, Teacher


@dataclass(frozen=True)
class Work:
    """One recovery to be done.

    Args:
        task: with the data to learn from and to judge by.
        device: on which it computes.
        epochs: to train for; None for the recovery's own default.
        seed: of all that is drawn.
        origin: what the network was cut from, and how.
        teacher: what distillation imitates; None for the origin.
        architecture: what `explorer.sources.build` makes the network from, which training from scratch begins with.
        report: hears how far it is.
        repaired: whether the network comes from a repair, whose statistics a training then begins with.
    """

    task: Any
    device: torch.device
    epochs: int | None = None
    seed: int = 0
    origin: Origin | None = None
    teacher: Teacher | None = None
    architecture: dict[str, Any] | None = None
    report: Report = silent
    repaired: bool = False

    def origin_for(self, name: str) -> Origin:
        """The origin, which the recovery called `name` needs.

        Raises:
            ExplorerError: there is none.
        """
        if self.origin is None:
            raise ExplorerError(f"recovery {name!r} needs the network before the cut: give its origin, or use bn")
        return self.origin
