"""Samples of a task with what a network answers to them, for a person."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from explorer.batches import evaluating, fetch
from explorer.errors import ExplorerError
from explorer.tasks.tools.census import class_labels
from explorer.tasks.tools.reply import Reply
from explorer.tasks.tools.task import Task
from explorer.tasks.tools.task_kind import TASK_KINDS


@dataclass(frozen=True)
class Answered:
    """A sample and the answer to it.

    Args:
        place: of the sample in its part of the data.
        shown: the sample for the eye: a picture, uint8 (H, W, 3), with the answer drawn on it where that is areas or
            boxes, or its text.
        label: what is true, in words.
        answer: what the network says, in words.
        choice: the number of the class that is the answer; None where it is not one class.
        right, confidence, note: see `Reply`.
        before: another network's answer to compare with, in words; empty: there is none, or it is the same.
    """

    place: int
    shown: np.ndarray | str = field(repr=False, compare=False)
    label: str
    answer: str
    choice: int | None
    right: bool | None
    confidence: float | None = None
    note: str = ""
    before: str = ""


def answered(
    module: nn.Module, task: Task, places: Sequence[int], *, device: torch.device, part: str = "test"
) -> list[Answered]:
    """What a network answers to some samples.

    Args:
        places: of the samples in the part.
        device: where the network computes; it comes back to where it was.
        part: of the task's data.

    Raises:
        ExplorerError: the answers of such a task are not known, or its labels mean nothing.
    """
    kind = TASK_KINDS[task.kind]
    if kind.reply is None or not task.measured:
        raise ExplorerError(why_unanswered(task))
    if not places:
        return []
    inputs, labels = fetch(getattr(task, part), torch.tensor(places))
    with evaluating(module, device):
        replies = kind.reply(module, inputs.to(device), labels)
    return [_answered(task, place, part, reply) for place, reply in zip(places, replies, strict=True)]


def answered_classes(
    task: Task,
    places: Sequence[int],
    classes: Sequence[int],
    *,
    before: Sequence[int] | None = None,
    part: str = "validation",
) -> list[Answered]:
    """The same of classes that have been answered already, one for each place: a plan's, for instance.

    Args:
        before: the classes that another network answered, one for each place; where it differs it is told.
    """
    found = []
    for number, (place, answer) in enumerate(zip(places, classes, strict=True)):
        label = torch.as_tensor(getattr(task, part)[place][1])
        reply = Reply(torch.tensor(int(answer)), int(answer) == int(label))
        told = _answered(task, place, part, reply)
        if before is not None and before[number] != answer:
            told = replace(told, before=_words(task, torch.tensor(int(before[number]))))
        found.append(told)
    return found


def why_unanswered(task: Task) -> str:
    """Why no answers can be shown; empty where they can."""
    if not task.measured:
        return "this data has no meaningful labels, so an answer is neither right nor wrong"
    if TASK_KINDS[task.kind].reply is None:
        return "a task of your own has outputs whose meaning only your code knows"
    return ""


def spread_places(task: Task, count: int, part: str = "test") -> list[int]:
    """Places of so many samples: one of each class in turn where a sample has one, else from all over the part."""
    total = len(getattr(task, part))
    labels = class_labels(getattr(task, part)) if TASK_KINDS[task.kind].classifies and task.measured else None
    if labels is None:
        return [place * total // count for place in range(count)] if total > count else list(range(total))
    seen: dict[int, int] = {}
    turns = np.array([_counted(seen, int(label)) for label in labels])
    order = np.lexsort((np.arange(len(labels)), labels, turns))  # the first of each class, then the second of each
    return order[:count].tolist()


def _counted(seen: dict[int, int], label: int) -> int:
    """How many of the label there were before."""
    seen[label] = seen.get(label, -1) + 1
    return seen[label]


def _answered(task: Task, place: int, part: str, reply: Reply) -> Answered:
    kind, shown = TASK_KINDS[task.kind], task.show(place, part)
    if kind.mark is not None and isinstance(shown, np.ndarray):
        shown = kind.mark(shown, reply.label)
    answer = _words(task, reply.label)
    choice = int(reply.label) if kind.classifies else None
    return Answered(place, shown, task.answer(place, part), answer, choice, reply.right, reply.confidence, reply.note)


def _words(task: Task, label: Any) -> str:
    return TASK_KINDS[task.kind].answer(label, task.classes) or "nothing"
