"""Accuracy with a confidence interval."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.batches import Samples, batches, evaluating
from explorer.device import BatchSize
from explorer.errors import ExplorerError
from explorer.progress import Report, silent
from explorer.tasks.tools.losses import check_labels

Z_95 = 1.959963984540054  # the 97.5 % point of the normal distribution
NO_SAMPLES = "there are no samples to evaluate on: choose data with a test split that is not empty"


@dataclass(frozen=True)
class Accuracy:
    """How often a model is right, as fractions from 0 to 1.

    Args:
        top1: the share of samples whose most likely class is right.
        low, high: the 95 % Wilson interval of `top1`.
        samples: how many there were.
        loss: the mean cross-entropy.
        predictions: the class answered for each sample.
        labels: the true one.
        class_correct: how many samples of each class are answered right.
        class_samples: how many each class has.
        metric: what the share is called, a key of `explorer.tasks.METRICS`.
        others: further metrics; of images `top5`, None below five classes.
    """

    top1: float
    low: float
    high: float
    samples: int
    loss: float
    predictions: np.ndarray = field(repr=False, compare=False)
    labels: np.ndarray = field(repr=False, compare=False)
    class_correct: np.ndarray = field(repr=False, compare=False)
    class_samples: np.ndarray = field(repr=False, compare=False)
    metric: str = "top1"
    others: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The main metric."""
        return self.top1

    @property
    def right(self) -> np.ndarray:
        """Whether each sample is answered right, bool (samples,)."""
        return self.predictions == self.labels

    @property
    def top5(self) -> float | None:
        """The share of samples whose class is among the five most likely; None where that says nothing."""
        return self.others.get("top5")

    def to_json(self) -> dict[str, Any]:
        """The metrics under their own names."""
        interval = {f"{self.metric}_low": self.low, f"{self.metric}_high": self.high}
        return {self.metric: self.top1, **self.others, **interval, "samples": self.samples}


def wilson(correct: float, samples: int, z: float = Z_95) -> tuple[float, float]:
    """The score interval of a proportion (Wilson, J. Am. Stat. Assoc. 22, 1927); 95 % by default.

    `correct` may be a mean over runs; scipy's interval takes whole counts only.
    """
    if samples == 0:
        return 0.0, 1.0
    share, square = correct / samples, z * z / samples
    centre = (share + square / 2) / (1 + square)
    half = z / (1 + square) * sqrt(share * (1 - share) / samples + square / (4 * samples))
    return (centre - half if correct > 0 else 0.0), (centre + half if correct < samples else 1.0)


def balanced(found: Accuracy) -> float:
    """The mean over the classes that occur of the share of each that is right (Brodersen et al., ICPR 2010).

    It counts every class alike: always giving the same answer gets one divided by the number of classes.
    """
    present = found.class_samples > 0
    return float((found.class_correct[present] / found.class_samples[present]).mean())


def accuracy(
    module: nn.Module,
    data: Samples,
    *,
    device: torch.device,
    batch_size: int = 256,
    report: Report = silent,
) -> Accuracy:
    """Accuracy of the module on (image, label) pairs, in float32 and evaluation mode.

    The module comes back on the device and in the mode in which it was given. Upon out-of-memory
    the batch is halved, which is logged.

    Raises:
        ExplorerError: there is no data, a label has no output, or not even a batch of one fits.
    """
    if len(data) == 0:
        raise ExplorerError(NO_SAMPLES)
    size = BatchSize(batch_size)
    with evaluating(module, device):
        logits, labels = size.retry(lambda n: predict(module, data, device=device, batch_size=n, report=report))
    return _summary(logits, labels)


@torch.inference_mode()
def predict(
    module: nn.Module, data: Samples, *, device: torch.device, batch_size: int, report: Report = silent
) -> tuple[Tensor, Tensor]:
    """Logits (samples, classes) and labels (samples,), both on the CPU; the module's mode is left alone."""
    logits, labels, done = [], [], 0
    for images, targets in batches(data, batch_size):
        logits.append(module(images.to(device)).float().cpu())
        labels.append(targets)
        done += len(targets)
        report(done / len(data), f"evaluated {done} of {len(data)}")
    return torch.cat(logits), torch.cat(labels)


def _summary(logits: Tensor, labels: Tensor) -> Accuracy:
    samples, classes = logits.shape
    check_labels(labels, classes)
    predictions = logits.argmax(1)
    hits = predictions == labels
    low, high = wilson(int(hits.sum()), samples)
    top5 = (logits.topk(5, dim=1).indices == labels[:, None]).any(1) if classes >= 5 else None
    return Accuracy(
        top1=hits.double().mean().item(),
        low=low,
        high=high,
        samples=samples,
        loss=F.cross_entropy(logits, labels).item(),
        predictions=predictions.numpy(),
        labels=labels.numpy(),
        class_correct=torch.bincount(labels[hits], minlength=classes).numpy(),
        class_samples=torch.bincount(labels, minlength=classes).numpy(),
        others={"top5": None if top5 is None else top5.double().mean().item()},
    )
