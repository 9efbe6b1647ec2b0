"""Segmentation: a class for every pixel, judged by the overlap of areas."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.batches import Samples, batches, evaluating
from explorer.device import BatchSize
from explorer.progress import Report
from explorer.tasks.tools.losses import IGNORED, check_labels, misfit, resized
from explorer.tasks.tools.metric import Metric
from explorer.tasks.tools.quality import Quality
from explorer.tasks.tools.reply import Reply
from explorer.tasks.tools.samples import TINTS, picture
from explorer.tasks.tools.task_kind import task_kind

RESAMPLES = 500  # of the bootstrap


def present(label: Tensor, classes: tuple[str, ...]) -> str:
    """The classes that a label map has."""
    return ", ".join(classes[number] for number in label.unique().tolist() if number < len(classes))


def are_maps(labels: Any) -> bool:
    """Whether labels are a map of classes for each sample."""
    return isinstance(labels, Tensor) and labels.dim() == 3 and not labels.is_floating_point()


def map_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of the judged pixels; logits (batch, classes, h, w), label maps (batch, H, W).

    Raises:
        ExplorerError: the outputs are no maps, or a label has no output.
    """
    if outputs.dim() != 4:
        raise misfit(outputs, labels)
    check_labels(labels, outputs.shape[1])
    return F.cross_entropy(resized(outputs, labels), labels, ignore_index=IGNORED)


@torch.inference_mode()
def maps_replied(module: nn.Module, inputs: Tensor, labels: Tensor) -> list[Reply]:
    """The likeliest class of every pixel, and the share of the judged pixels that are right."""
    maps = resized(module(inputs).float().cpu(), labels).argmax(1)
    judged = labels != IGNORED
    right = ((maps == labels) & judged).flatten(1).sum(1) / judged.flatten(1).sum(1).clamp(min=1)
    return [
        Reply(answer, None, note=f"{100 * share:.0f}% of pixels right")
        for answer, share in zip(maps, right.tolist(), strict=True)
    ]


def coloured(picture: np.ndarray, areas: Tensor) -> np.ndarray:
    """A picture, uint8 (H, W, 3), with the pixels of every class but the first in a colour of its own."""
    tints = np.array(TINTS, dtype=np.float64)[(areas.numpy() - 1) % len(TINTS)]
    mixed = 0.45 * picture + 0.55 * tints
    return np.where((areas.numpy() == 0)[..., None], picture, mixed.round()).astype(np.uint8)


@task_kind(
    "segmentation",
    title="Segmentation",
    explanation="Says for every pixel of a picture which of some classes it shows.",
    models="segmentation models",
    metric=Metric(
        "miou",
        "Mean IoU",
        "mIoU",
        True,
        "Overlap of the predicted with the true area, divided by their union, averaged over the classes.",
    ),
    samples="images",
    answer=present,
    draw=picture,
    owns=are_maps,
    loss=map_loss,
    reply=maps_replied,
    mark=coloured,
    rank=40,
)
def judge(module: nn.Module, data: Samples, *, device: torch.device, batch_size: int, report: Report) -> Quality:
    """Mean IoU with its interval, and the share of pixels that are right."""
    with evaluating(module, device):
        counts, loss = BatchSize(batch_size).retry(lambda size: _confusions(module, data, device, size, report))
    low, high = bootstrap(counts)
    whole = counts.sum(0)
    others = {"pixel_accuracy": float(np.trace(whole) / max(whole.sum(), 1))}
    return Quality("miou", float(mean_iou(whole)), low, high, len(counts), loss, others)


@torch.inference_mode()
def _confusions(
    module: nn.Module, data: Samples, device: torch.device, size: int, report: Report
) -> tuple[np.ndarray, float]:
    """Pixel counts (samples, true class, predicted class), and the mean loss."""
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    confusions, losses, done = [], [], 0
    for images, labels in batches(data, size):
        logits = resized(module(images.to(device)).float(), labels).cpu()
        classes = logits.shape[1]
        losses.append(map_loss(logits, labels).item() * len(labels))
        confusions += [
            multiclass_confusion_matrix(answer, truth, classes, ignore_index=IGNORED)
            for answer, truth in zip(logits.argmax(1), labels, strict=True)
        ]
        done += len(labels)
        report(done / len(data), f"evaluated {done} of {len(data)}")
    return torch.stack(confusions).double().numpy(), sum(losses) / done


def mean_iou(confusion: np.ndarray) -> np.ndarray:
    """Mean over the classes that occur of intersection over union.

    Args:
        confusion: pixel counts (…, true class, predicted class).
    """
    confusion = np.asarray(confusion, dtype=np.float64)
    inside = np.diagonal(confusion, axis1=-2, axis2=-1)
    union = confusion.sum(-1) + confusion.sum(-2) - inside
    present = union > 0
    share = np.divide(inside, union, out=np.zeros_like(inside), where=present)
    return share.sum(-1) / np.maximum(present.sum(-1), 1)


def bootstrap(counts: np.ndarray) -> tuple[float, float]:
    """The percentile interval of the mean IoU over images drawn with replacement (Efron 1979), seeded.

    How often each image is drawn is one multinomial count, so that a draw is one sum of matrices; scipy's bootstrap
    would copy all of them for each draw, and gives other draws.
    """
    samples = len(counts)
    draws = np.random.default_rng(0).multinomial(samples, np.full(samples, 1 / samples), size=RESAMPLES)
    values = mean_iou(np.tensordot(draws.astype(np.float64), counts, axes=1))
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
