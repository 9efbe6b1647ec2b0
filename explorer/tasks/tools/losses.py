"""The loss of a model's outputs: what the labels look like says whose."""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from explorer.errors import ExplorerError
from explorer.tasks.tools.task_kind import TASK_KINDS, TaskKind

IGNORED = 255  # the label of pixels that nobody is judged on


def model_loss(module: Callable[[Tensor], Any], inputs: Tensor, labels: Any) -> Tensor:
    """The mean training loss of the module on a batch, with its auxiliary heads where it gives their outputs too.

    Auxiliary heads weigh 0.3 each where there are two (GoogLeNet, Szegedy et al. 2015, section 5) and 0.4 where
    there is one (Inception v3, as in torchvision's references).
    """
    kind = _owner(labels)
    if kind is not None and kind.whole_loss is not None:
        return kind.whole_loss(module, inputs, labels)
    outputs = module(inputs)
    if isinstance(outputs, Tensor):
        return task_loss(outputs, labels)
    main, *others = (head for head in outputs if head is not None)
    weight = 0.3 if len(others) > 1 else 0.4
    return task_loss(main, labels) + weight * sum(task_loss(head, labels) for head in others)


def task_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean loss of outputs, by the kind of task that has such labels.

    Cross-entropy of classes (batch,) or of label maps (batch, H, W), squared error of scores (batch,).

    Args:
        outputs: logits (batch, classes), or (batch, classes, h, w) for label maps, which are resized to (H, W); one
            output (batch, 1) for scores.
        labels: int64 classes or label maps, in which `IGNORED` does not count, or float scores.

    Raises:
        ExplorerError: the outputs fit no such labels, or a label has no output.
    """
    kind = _owner(labels)
    if kind is None or kind.loss is None:
        raise misfit(outputs, labels)
    return kind.loss(outputs.float(), labels)


def _owner(labels: Any) -> TaskKind | None:
    """The first kind of task that has such labels."""
    return next((kind for kind in TASK_KINDS.values() if kind.owns(labels)), None)


def are_classes(labels: Any) -> bool:
    """Whether labels are one class for each sample."""
    return isinstance(labels, Tensor) and labels.dim() == 1 and not labels.is_floating_point()


def class_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of logits (batch, classes).

    Raises:
        ExplorerError: see `task_loss`.
    """
    if outputs.dim() != 2:
        raise misfit(outputs, labels)
    check_labels(labels, outputs.shape[1])
    return F.cross_entropy(outputs, labels)


def misfit(outputs: Tensor, labels: Tensor) -> ExplorerError:
    """The error for outputs that can't be compared with such labels."""
    return ExplorerError(
        f"the model's outputs {tuple(outputs.shape)} don't fit labels {tuple(labels.shape)}: choose data for such"
        " a model, or a criterion that needs no labels"
    )


def check_labels(labels: Tensor, classes: int) -> None:
    """On CUDA a label without an output would take the whole process down.

    Raises:
        ExplorerError: there is one.
    """
    judged = labels[labels != IGNORED] if labels.dim() == 3 else labels
    if judged.numel() and (int(judged.max()) >= classes or int(judged.min()) < 0):
        raise ExplorerError(
            f"the data has class {int(judged.max())} but the model only {classes} outputs: "
            "use the data that the model was trained for"
        )


def resized(logits: Tensor, labels: Tensor) -> Tensor:
    """Logits (batch, classes, h, w) at the size of label maps (batch, H, W), bilinearly."""
    size = labels.shape[-2:]
    return logits if logits.shape[-2:] == size else F.interpolate(logits, size, mode="bilinear", align_corners=False)
