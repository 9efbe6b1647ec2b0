"""Image classification: one class for each picture, judged by the share of right answers."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.batches import Samples
from explorer.progress import Report
from explorer.tasks.tools.accuracy import Accuracy, accuracy, balanced
from explorer.tasks.tools.losses import are_classes, class_loss
from explorer.tasks.tools.metric import Metric
from explorer.tasks.tools.reply import classes_replied
from explorer.tasks.tools.samples import class_name, picture
from explorer.tasks.tools.task_kind import task_kind

SHIFT_UP_TO = 64  # pixels: the largest input on which a shift of two matters little to the content


def shifted(
    images: Tensor, generator: torch.Generator, whole: int | None = None, start: int = 0, pixels: int = 2
) -> Tensor:
    """Each image moved by up to `pixels` along both axes, the border repeated; inputs above 64 px as they are.

    Of a batch of `whole` images these are those from `start` on, and they move as they would in it.
    """
    count, _, height, width = images.shape
    if max(height, width) > SHIFT_UP_TO:
        return images
    offsets = torch.randint(0, 2 * pixels + 1, (2, whole or count, 1), generator=generator)[:, start : start + count]
    rows = offsets[0] + torch.arange(height)
    columns = offsets[1] + torch.arange(width)
    padded = F.pad(images, (pixels,) * 4, mode="replicate")
    index = torch.arange(count)[:, None, None]
    return padded[index, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()


@task_kind(
    "image-classification",
    title="Image classification",
    explanation="Says which of some classes a picture shows.",
    models="image classifiers",
    metric=Metric("top1", "Accuracy", "top-1", True, "Share of images classified right (top-1)."),
    samples="images",
    answer=class_name,
    draw=picture,
    owns=are_classes,
    loss=class_loss,
    augment=shifted,
    reply=classes_replied,
    classifies=True,
    rank=10,
)
def judge(module: nn.Module, data: Samples, *, device: torch.device, batch_size: int, report: Report) -> Accuracy:
    """Accuracy, with top-5 where there are as many classes, and balanced accuracy."""
    found = accuracy(module, data, device=device, batch_size=batch_size, report=report)
    return replace(found, others={**found.others, "balanced_accuracy": balanced(found)})
