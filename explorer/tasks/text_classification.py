"""Text classification: one class for each text, judged by the share of right answers."""

from dataclasses import replace

import torch
from torch import nn

from explorer.batches import Samples
from explorer.progress import Report
from explorer.tasks.tools.accuracy import Accuracy, accuracy, balanced
from explorer.tasks.tools.losses import are_classes, class_loss
from explorer.tasks.tools.metric import Metric
from explorer.tasks.tools.reply import classes_replied
from explorer.tasks.tools.samples import class_name, text
from explorer.tasks.tools.task_kind import task_kind


@task_kind(
    "text-classification",
    title="Text classification",
    explanation="Says which of some classes a text belongs to.",
    models="text classifiers",
    metric=Metric("accuracy", "Accuracy", "accuracy", True, "Share of texts classified right."),
    samples="texts",
    answer=class_name,
    draw=text,
    owns=are_classes,
    loss=class_loss,
    reply=classes_replied,
    classifies=True,
    rank=20,
)
def judge(module: nn.Module, data: Samples, *, device: torch.device, batch_size: int, report: Report) -> Accuracy:
    """Accuracy, balanced accuracy, with the macro average of F1 and the Matthews correlation."""
    from torchmetrics.functional.classification import multiclass_f1_score, multiclass_matthews_corrcoef

    found = accuracy(module, data, device=device, batch_size=batch_size, report=report)
    classes = len(found.class_samples)
    pair = torch.from_numpy(found.predictions), torch.from_numpy(found.labels)
    others = {
        "balanced_accuracy": balanced(found),
        "f1": multiclass_f1_score(*pair, num_classes=classes, average="macro").item(),
        "mcc": multiclass_matthews_corrcoef(*pair, num_classes=classes).item(),
    }
    return replace(found, metric="accuracy", others=others)
