"""Opens the board in a notebook, where the package for widgets is there."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from explorer.batches import spread, subset
from explorer.board.judging import Measure
from explorer.budget import Target
from explorer.criteria import Scores
from explorer.errors import ExplorerError, lacks_package
from explorer.evaluation import Live
from explorer.structure import Structure
from explorer.tasks import METRICS, TASK_KINDS, Task

if TYPE_CHECKING:
    from explorer.board.widget import BoardWidget

MARKED = ("macs", "params")  # what of the board's counters can mark a target


def widget(
    base: str,
    structure: Structure,
    scores: Scores,
    measure: Measure | str,
    *,
    keep: Mapping[str, float | str],
    budget: Mapping[str, float],
    height: int,
) -> "BoardWidget":
    """The board of a network as a widget.

    Args:
        base: the network's name in plans.
        measure: from `measure_on`, or why nothing is measured.
        keep: what it is to come down to: the counter of the first fraction has a mark.
        budget: where it begins: the fraction of units that leave, by group.

    Raises:
        ExplorerError: anywidget is missing, or the scores are those of another network.
    """
    try:
        from explorer.board.widget import BoardWidget, Subject
    except ImportError as error:
        if not lacks_package(error):
            raise
        raise ExplorerError(
            "the board in a notebook takes the package anywidget: install it with `pip install 'anywidget>=0.9,<1'`, "
            "or this one as `pip install .[notebook]`, and start the kernel again"
        ) from error
    targets = (Target.parse(f"{kind}={value}") for kind, value in keep.items() if kind in MARKED)
    target = next((target for target in targets if target.keep is not None), None)
    return BoardWidget(Subject(base, structure, scores, measure, target), budget=budget, height=height)


def measure_on(
    task: Task | None,
    network: nn.Module,
    structure: Structure,
    *,
    device: torch.device,
    samples: int | None,
    name: str = "",
    sign: int = 1,
) -> Measure | str:
    """How plans are judged on validation data: by so many samples, spread evenly over it; else why they are not.

    Args:
        name: of a metric that is a person's own.
        sign: of its values, see `Measure`.
    """
    if task is None:
        return "the problem has no data to judge by"
    if not task.measured:
        return "the data has no meaningful labels, or the problem neither a metric nor a loss"
    metric = METRICS[task.metric]
    if name:
        metric = replace(metric, label=name, short=name)
    data = task.validation
    if samples is not None:
        data = subset(data, spread(len(data), samples))
    words = f"validation {TASK_KINDS[task.kind].samples}"
    return Measure(lambda: Live(network, structure, data, kind=task.kind, device=device), metric, words, sign)
