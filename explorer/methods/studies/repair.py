"""What a plan costs after a repair without training: the number that a hand which cuts is answered with."""

from dataclasses import replace

import torch
from torch import nn

from explorer.batches import Samples
from explorer.errors import ExplorerError
from explorer.methods.studies.ladder import RecoveryStage, recovery_stage
from explorer.progress import Report, silent
from explorer.pruning import Plan
from explorer.recovery.repairing import repair_for
from explorer.structure import Structure
from explorer.tasks import Task


def repair(
    module: nn.Module,
    structure: Structure,
    task: Task,
    plan: Plan,
    *,
    data: Samples,
    calibration: Samples,
    device: torch.device,
    report: Report = silent,
) -> RecoveryStage:
    """The task's metric on `data` after the plan and a repair without training; the module is not written to.

    The repair is that of `repair_for`: `RecoveryStage.recovery` says which it was, its warnings why not a better one.

    Args:
        data: that the repaired network is judged by.
        calibration: that the repair looks at.

    Raises:
        ExplorerError: data whose accuracy means nothing; see `recovery_stage`.
        Cancelled: the report asked to stop; it hears of every layer.
    """
    if not task.measured:
        raise ExplorerError(f"accuracy on {task.ref!r} means nothing: choose real data")
    plan.check(structure)
    name, reasons = repair_for(module, structure, plan)
    found = recovery_stage(
        name,
        module,
        structure,
        replace(task, calibration=calibration),
        plan,
        data=data,
        device=device,
        report=report,
    )
    return replace(found, warnings=tuple(dict.fromkeys([*reasons, *found.warnings])))
