"""Text regression: a score for each text, judged by the correlation with the true scores."""

from math import atanh, sqrt, tanh
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.batches import Samples, evaluating
from explorer.device import BatchSize
from explorer.errors import ExplorerError
from explorer.progress import Report
from explorer.tasks.tools.accuracy import Z_95, predict
from explorer.tasks.tools.losses import misfit
from explorer.tasks.tools.metric import Metric
from explorer.tasks.tools.quality import Quality
from explorer.tasks.tools.reply import Reply
from explorer.tasks.tools.samples import text
from explorer.tasks.tools.task_kind import task_kind


def score(label: Tensor, classes: tuple[str, ...]) -> str:
    """A score in words."""
    return f"{float(label):.2f}"


def are_scores(labels: Any) -> bool:
    """Whether labels are numbers."""
    return isinstance(labels, Tensor) and labels.is_floating_point()


def squared_error(outputs: Tensor, labels: Tensor) -> Tensor:
    """The mean over the batch; outputs (batch, 1), labels (batch,).

    Raises:
        ExplorerError: there is another number of outputs.
    """
    if outputs.dim() != 2 or outputs.shape[1] != 1:
        raise misfit(outputs, labels)
    return F.mse_loss(outputs.squeeze(1), labels)


@torch.inference_mode()
def scores_replied(module: nn.Module, inputs: Tensor, labels: Tensor) -> list[Reply]:
    """The score of each text, and how far it is from the true one."""
    scores = module(inputs).float()[:, 0].cpu()
    return [
        Reply(score, None, note=f"off by {abs(float(score - label)):.2f}")
        for score, label in zip(scores, labels, strict=True)
    ]


@task_kind(
    "text-regression",
    title="Text regression",
    explanation="Gives a text a score.",
    models="models that score texts",
    metric=Metric(
        "pearson",
        "Pearson correlation",
        "Pearson r",
        False,
        "Correlation of the model's scores with the true ones: 1 is a perfect line, 0 no relation, −1 reversed.",
    ),
    samples="texts",
    answer=score,
    draw=text,
    owns=are_scores,
    loss=squared_error,
    reply=scores_replied,
    logits=False,
    rank=30,
)
def judge(module: nn.Module, data: Samples, *, device: torch.device, batch_size: int, report: Report) -> Quality:
    """Pearson's correlation with its interval, and the mean squared error.

    Raises:
        ExplorerError: the model has several outputs.
    """
    from torchmetrics.functional import pearson_corrcoef

    with evaluating(module, device):
        outputs, labels = BatchSize(batch_size).retry(
            lambda size: predict(module, data, device=device, batch_size=size, report=report)
        )
    if outputs.shape[1] != 1:
        raise ExplorerError(
            f"the data has one score for each text but the model gives {outputs.shape[1]} outputs: "
            "use a model with one output"
        )
    value = pearson_corrcoef(outputs[:, 0].double(), labels.double()).item()
    value = value if np.isfinite(value) else 0.0  # all predictions equal
    loss = squared_error(outputs, labels.float()).item()
    return Quality("pearson", value, *fisher(value, len(labels)), len(labels), loss, {"mse": loss})


def fisher(correlation: float, samples: int) -> tuple[float, float]:
    """The 95 % interval of a correlation by Fisher's z (Metron 1, 1921); −1 to 1 below four samples."""
    if samples < 4:
        return -1.0, 1.0
    if abs(correlation) >= 1.0:
        return correlation, correlation
    half = Z_95 / sqrt(samples - 3)
    return tanh(atanh(correlation) - half), tanh(atanh(correlation) + half)
