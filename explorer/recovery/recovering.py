"""Recovering a network by the name of a recovery."""

from typing import Any

import torch
from torch import nn

from explorer.errors import ExplorerError
from explorer.progress import Report, silent
from explorer.recovery.before import Origin, Teacher
from explorer.recovery.registry import RECOVERIES, History, Recovery
from explorer.recovery.work import Work


def recover(
    name: str,
    module: nn.Module,
    task: Any,
    *,
    device: torch.device,
    epochs: int | None = None,
    seed: int = 0,
    origin: Origin | None = None,
    teacher: Teacher | None = None,
    architecture: dict[str, Any] | None = None,
    report: Report = silent,
    repaired: bool = False,
) -> History:
    """Applies the recovery called `name` to the module, in place; the other arguments are those of `Work`.

    Raises:
        ExplorerError: see `suitable`.
    """
    work = Work(task, device, epochs, seed, origin, teacher, architecture, report, repaired)
    return suitable(name, task).function(module, work)


def suitable(name: str, task: Any) -> Recovery:
    """The recovery called `name`, if it can serve the task.

    Raises:
        ExplorerError: it is unknown, needs data that the task hasn't, or can't serve tasks of this kind.
    """
    entry = RECOVERIES.get(name)
    if entry.needs and not task.measured:
        raise ExplorerError(
            f"recovery {name!r} needs {', '.join(sorted(entry.needs))}, and {task.ref!r} has none that means anything: "
            "choose real data, or --recover none"
        )
    if reason := entry.unfit.get(task.kind):
        raise ExplorerError(f"recovery {name!r} can't serve {task.kind} ({reason}): use --recover finetune")
    return entry
