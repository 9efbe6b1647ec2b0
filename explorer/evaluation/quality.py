"""How good a model is at its task, whatever the task: the main metric with its uncertainty, and what goes with it."""

from dataclasses import dataclass, field, replace
from math import atanh, sqrt, tanh
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from explorer.device import BatchSize
from explorer.errors import ExplorerError
from explorer.evaluation.accuracy import NO_SAMPLES, Z_95, Accuracy, accuracy, predict
from explorer.evaluation.batches import batches, evaluating
from explorer.evaluation.losses import IGNORED, check_labels, resized, task_loss
from explorer.progress import Report, silent

RESAMPLES = 500  # of the bootstrap


@dataclass(frozen=True)
class Quality:
    """A main metric, the 95 % interval `low` to `high` (None where it has none), and the mean `loss`.

    `others` are further metrics of the same predictions.
    """

    metric: str
    value: float
    low: float | None
    high: float | None
    samples: int
    loss: float
    others: dict[str, float | None] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The metrics under their own names."""
        interval = {f"{self.metric}_low": self.low, f"{self.metric}_high": self.high}
        return {self.metric: self.value, **interval, **self.others, "samples": self.samples}


def evaluate(
    module: nn.Module,
    data: Dataset,
    *,
    kind: str = "image-classification",
    device: torch.device,
    batch_size: int = 256,
    report: Report = silent,
) -> Accuracy | Quality:
    """What the module reaches on (input, label) pairs, in float32 and evaluation mode.

    ==================== ======== =======================================================================
    kind                 metric   others
    ==================== ======== =======================================================================
    image-classification top1     top5
    text-classification  accuracy f1 (macro), mcc (Matthews correlation)
    text-regression      pearson  mse
    segmentation         miou     pixel_accuracy
    detection            map      map_50, map_75
    ==================== ======== =======================================================================

    The module comes back on the device and in the mode in which it was given. Upon out-of-memory the batch is
    halved, which is logged.

    Raises:
        ExplorerError: there is no data, a label has no output, or not even a batch of one fits.
    """
    if len(data) == 0:
        raise ExplorerError(NO_SAMPLES)
    options = {"device": device, "batch_size": batch_size, "report": report}
    if kind == "image-classification":
        return accuracy(module, data, **options)
    if kind == "text-classification":
        return _text(accuracy(module, data, **options))
    size = BatchSize(batch_size)
    ways = {"text-regression": _regression, "segmentation": _segmentation, "detection": _detection}
    with evaluating(module, device):
        return size.retry(lambda n: ways[kind](module, data, device, n, report))


def _text(found: Accuracy) -> Accuracy:
    from torchmetrics.functional.classification import multiclass_f1_score, multiclass_matthews_corrcoef

    classes = len(found.class_samples)
    pair = torch.from_numpy(found.predictions), torch.from_numpy(found.labels)
    others = {
        "f1": multiclass_f1_score(*pair, num_classes=classes, average="macro").item(),
        "mcc": multiclass_matthews_corrcoef(*pair, num_classes=classes).item(),
    }
    return replace(found, metric="accuracy", others=others)


def _regression(module: nn.Module, data: Dataset, device: torch.device, size: int, report: Report) -> Quality:
    from torchmetrics.functional import pearson_corrcoef

    outputs, labels = predict(module, data, device=device, batch_size=size, report=report)
    if outputs.shape[1] != 1:
        raise ExplorerError(
            f"the data has one score for each text but the model gives {outputs.shape[1]} outputs: "
            "use a model with one output"
        )
    value = pearson_corrcoef(outputs[:, 0].double(), labels.double()).item()
    value = value if np.isfinite(value) else 0.0  # all predictions equal
    loss = task_loss(outputs, labels.float()).item()
    return Quality("pearson", value, *fisher(value, len(labels)), len(labels), loss, {"mse": loss})


def fisher(correlation: float, samples: int) -> tuple[float, float]:
    """The 95 % interval of a correlation by Fisher's z (Metron 1, 1921); −1 to 1 below four samples."""
    if samples < 4:
        return -1.0, 1.0
    if abs(correlation) >= 1.0:
        return correlation, correlation
    half = Z_95 / sqrt(samples - 3)
    return tanh(atanh(correlation) - half), tanh(atanh(correlation) + half)


@torch.inference_mode()
def _segmentation(module: nn.Module, data: Dataset, device: torch.device, size: int, report: Report) -> Quality:
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    confusions, losses, done = [], [], 0
    for images, labels in batches(data, size):
        logits = resized(module(images.to(device)).float(), labels).cpu()
        classes = logits.shape[1]
        check_labels(labels, classes)
        losses.append(task_loss(logits, labels).item() * len(labels))
        confusions += [
            multiclass_confusion_matrix(found, truth, classes, ignore_index=IGNORED)
            for found, truth in zip(logits.argmax(1), labels, strict=True)
        ]
        done += len(labels)
        report(done / len(data), f"evaluated {done} of {len(data)}")
    counts = torch.stack(confusions).double().numpy()
    low, high = _bootstrap(counts)
    whole = counts.sum(0)
    others = {"pixel_accuracy": float(np.trace(whole) / max(whole.sum(), 1))}
    return Quality("miou", float(mean_iou(whole)), low, high, done, sum(losses) / done, others)


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


def _bootstrap(counts: np.ndarray) -> tuple[float, float]:
    """The percentile interval of the mean IoU over images drawn with replacement (Efron 1979), seeded."""
    samples = len(counts)
    draws = np.random.default_rng(0).multinomial(samples, np.full(samples, 1 / samples), size=RESAMPLES)
    values = mean_iou(np.tensordot(draws.astype(np.float64), counts, axes=1))
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


@torch.inference_mode()
def _detection(module: nn.Module, data: Dataset, device: torch.device, size: int, report: Report) -> Quality:
    from torchmetrics.detection import MeanAveragePrecision

    metric = MeanAveragePrecision(backend="pycocotools")
    metric.warn_on_many_detections = False
    for start in range(0, len(data), size):
        pairs = [data[index] for index in range(start, min(start + size, len(data)))]
        found = module.detect(torch.stack([image for image, _ in pairs]).to(device))
        metric.update([_on_cpu(boxes) for boxes in found], [_on_cpu(truth) for _, truth in pairs])
        done = start + len(pairs)
        report(done / len(data), f"evaluated {done} of {len(data)}")
    values = {name: max(0.0, float(value)) for name, value in metric.compute().items() if value.numel() == 1}
    others = {name: values[name] for name in ("map_50", "map_75")}
    return Quality("map", values["map"], None, None, len(data), 1.0 - values["map"], others)


def _on_cpu(boxes: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.cpu() for name, tensor in boxes.items()}
