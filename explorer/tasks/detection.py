"""Detection: boxes around objects, judged by the mean average precision of COCO."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from explorer.batches import Samples, evaluating, to_device
from explorer.device import BatchSize
from explorer.errors import ExplorerError
from explorer.progress import Report
from explorer.tasks.tools.metric import Metric
from explorer.tasks.tools.quality import Quality
from explorer.tasks.tools.reply import Reply
from explorer.tasks.tools.samples import TINTS, picture
from explorer.tasks.tools.task_kind import task_kind

SURE = 0.5  # the least score of boxes that are shown as an answer


class Teachable(Protocol):
    """A detector that can be trained."""

    def loss(self, pixels: Tensor, targets: list[dict[str, Tensor]], /) -> Tensor: ...


@runtime_checkable
class Detector(Protocol):
    """A network that says where objects are."""

    def detect(self, pixels: Tensor, /) -> list[dict[str, Tensor]]: ...


def objects(label: dict[str, Tensor], classes: tuple[str, ...]) -> str:
    """The classes of the boxes."""
    return ", ".join(classes[number] for number in sorted(set(label["labels"].tolist())))


def are_boxes(labels: Any) -> bool:
    """Whether labels are a dictionary of boxes for each sample."""
    return isinstance(labels, list) and all({"boxes", "labels"} <= label.keys() for label in labels)


def detector_loss(module: Teachable, inputs: Tensor, labels: list[dict[str, Tensor]]) -> Tensor:
    """The loss that a detector computes itself, of all that it finds on the way to its boxes."""
    return module.loss(inputs, labels)


def objects_replied(module: Detector, inputs: Tensor, labels: list[dict[str, Tensor]]) -> list[Reply]:
    """The boxes that the network is rather sure of, and how many of them there are."""
    found = []
    for boxes, truth in zip(to_device(module.detect(inputs), torch.device("cpu")), labels, strict=True):
        sure = boxes["scores"] >= SURE
        kept = {"boxes": boxes["boxes"][sure], "labels": boxes["labels"][sure]}
        found.append(Reply(kept, None, note=f"finds {len(kept['labels'])}, there are {len(truth['labels'])}"))
    return found


def framed(picture: np.ndarray, objects: dict[str, Tensor]) -> np.ndarray:
    """A picture, uint8 (H, W, 3), with boxes in the colours of their classes."""
    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image)
    for corners, number in zip(objects["boxes"].tolist(), objects["labels"].tolist(), strict=True):
        x1, y1, x2, y2 = corners
        frame = (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
        pen.rectangle(frame, outline=TINTS[(number - 1) % len(TINTS)], width=max(1, picture.shape[0] // 64))
    return np.asarray(image)


@task_kind(
    "detection",
    title="Detection",
    explanation="Finds objects of some classes in a picture, each with a box around it.",
    models="object detectors",
    metric=Metric(
        "map",
        "Mean average precision",
        "mAP",
        True,
        "Area under precision over recall, averaged over classes and over overlaps from 50 to 95% (COCO).",
    ),
    samples="images",
    answer=objects,
    draw=picture,
    owns=are_boxes,
    whole_loss=detector_loss,
    reply=objects_replied,
    mark=framed,
    unrepeatable="code that depends on the data finds its boxes",
    rank=50,
)
def judge(module: nn.Module, data: Samples, *, device: torch.device, batch_size: int, report: Report) -> Quality:
    """Mean average precision, and that at overlaps of 50 and of 75%; it has no interval.

    Raises:
        ExplorerError: the network finds no boxes.
    """
    if not isinstance(module, Detector):
        raise ExplorerError("this network finds no boxes: detection takes a detector")
    with evaluating(module, device):
        values = BatchSize(batch_size).retry(lambda size: _precisions(module, data, device, size, report))
    others = {name: values[name] for name in ("map_50", "map_75")}
    return Quality("map", values["map"], None, None, len(data), 1.0 - values["map"], others)


@torch.inference_mode()
def _precisions(module: Detector, data: Samples, device: torch.device, size: int, report: Report) -> dict[str, float]:
    from torchmetrics.detection import MeanAveragePrecision

    metric = MeanAveragePrecision(backend="pycocotools")
    metric.warn_on_many_detections = False
    cpu = torch.device("cpu")
    for start in range(0, len(data), size):
        pairs = [data[index] for index in range(start, min(start + size, len(data)))]
        boxes = module.detect(torch.stack([image for image, _ in pairs]).to(device))
        metric.update(to_device(boxes, cpu), to_device([truth for _, truth in pairs], cpu))
        done = start + len(pairs)
        report(done / len(data), f"evaluated {done} of {len(data)}")
    return {name: max(0.0, float(value)) for name, value in metric.compute().items() if value.numel() == 1}
