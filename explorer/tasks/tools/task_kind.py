"""The kinds of tasks, by name: a record says of each what nothing else needs to know."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from explorer.registry import Entry, Registry
from explorer.tasks.tools.metric import Metric

DEFAULT_KIND = "image-classification"
"""The kind of models and reports that name none."""
DEFAULT_METRIC = "top1"
"""The metric of measurements that name none, and of data whose labels mean nothing."""


@dataclass(frozen=True, kw_only=True)
class TaskKind(Entry):
    """A kind of task.

    `function(module, data, *, device, batch_size, report)` judges a model: `Accuracy` or `Quality`.

    Args:
        models: what models for it are called: "image classifiers".
        metric: what models are judged by.
        samples: what its samples are called: "images".
        answer: (label, names of the classes) → the label in words.
        draw: (task, index, part) → one sample for the eye: a picture, uint8 (H, W, 3), or its text.
        owns: (labels of a batch) → whether they are labels of such a task.
        loss: (outputs, labels) → the mean training loss; None: outputs alone have none.
        whole_loss: (module, inputs, labels) → the mean training loss, where outputs alone have none.
        augment: (inputs, generator, whole, start) → inputs of a training step, where they are changed a little: those
            from `start` on of a batch of `whole`, drawn as they would be in it.
        reply: (module, inputs, labels) → a `Reply` for each sample, labels as `batches` gives them; None: what outputs
            mean is not known.
        mark: (picture, answer) → the picture with an answer drawn on it that is areas or boxes; None: it is words.
        classifies: whether outputs are (batch, classes) and the answer to a sample is one class.
        logits: whether outputs are logits over axis 1, which are compared as probabilities; else by their squares.
        unrepeatable: why the network's calls can't be replayed for another plan; empty: they can.
    """

    models: str
    metric: Metric
    samples: str
    answer: Callable[[Any, tuple[str, ...]], str] = field(repr=False)
    draw: Callable[..., Any] = field(repr=False)
    owns: Callable[[Any], bool] = field(repr=False)
    loss: Callable[..., Any] | None = field(default=None, repr=False)
    whole_loss: Callable[..., Any] | None = field(default=None, repr=False)
    augment: Callable[..., Any] | None = field(default=None, repr=False)
    reply: Callable[..., Any] | None = field(default=None, repr=False)
    mark: Callable[..., Any] | None = field(default=None, repr=False)
    classifies: bool = False
    logits: bool = True
    unrepeatable: str = ""


TASK_KINDS: Registry[TaskKind] = Registry(
    "kind of task", TaskKind, decorator="task_kind", package="explorer.tasks", parts=(Metric,)
)
task_kind = TASK_KINDS.register
