"""A task of one's own: any targets, judged by a person's own metric or loss."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from explorer.batches import Samples, Targets, batches, evaluating, to_device
from explorer.device import BatchSize
from explorer.errors import ExplorerError
from explorer.progress import Report
from explorer.tasks.tools.metric import Metric
from explorer.tasks.tools.quality import Quality
from explorer.tasks.tools.task_kind import task_kind


class Judgement(Protocol):
    """What a person's network is judged by."""

    @property
    def loss(self) -> Callable[[Any, Any], Any] | None: ...


@runtime_checkable
class OwnNetwork(Protocol):
    """A person's network with the engine's face, see `explorer.sources.own`."""

    own_: Judgement

    def outputs_(self, packed: Tensor, /) -> Any: ...

    def loss_of(self, packed: Tensor, labels: list[Targets], /) -> Tensor: ...

    def loss_between(self, outputs: Any, labels: list[Targets], /) -> Tensor: ...

    def judged(self, outputs: Any, labels: list[Targets], loss: float, /) -> float: ...


def described(label: Targets, classes: tuple[str, ...]) -> str:
    """The shapes of a sample's targets."""
    return ", ".join(f"{name} {tuple(value.shape)}" for name, value in label.items())


def shown(task: Any, index: int, part: str = "test") -> np.ndarray | str:
    """A sample as its owner's function draws it; else what looks like a picture as one, from black to white."""
    inputs, targets = getattr(task, part)[index]
    made = inputs if task.drawn is None else task.drawn(inputs, targets)
    if isinstance(made, str):
        return made
    return picture_of(made) if _is_picture(made) else f"input {tuple(inputs.shape)}"


def _is_picture(made: Any) -> bool:
    sizes = tuple(getattr(made, "shape", ()))
    return len(sizes) == 2 or (len(sizes) == 3 and (sizes[0] in (1, 3) or sizes[2] in (1, 3)))


def picture_of(made: Any) -> np.ndarray:
    """A picture, uint8 (H, W, 3), of one with its channels first or last; numbers are stretched from 0 to 255."""
    values = made.detach().cpu().numpy() if isinstance(made, Tensor) else np.asarray(made)
    values = values[..., None] if values.ndim == 2 else values
    if values.shape[2] not in (1, 3):
        values = values.transpose(1, 2, 0)
    if values.dtype != np.uint8:
        low, high = float(values.min()), float(values.max())
        values = ((values - low) * (255 / ((high - low) or 1))).astype(np.uint8)
    return np.broadcast_to(values, (*values.shape[:2], 3))


def are_own(labels: Any) -> bool:
    """Whether labels are a person's targets, by name, for each sample."""
    return isinstance(labels, list) and bool(labels) and isinstance(labels[0], Targets)


def own_loss(module: OwnNetwork, inputs: Tensor, labels: list[Targets]) -> Tensor:
    """The loss that the problem was given."""
    return module.loss_of(inputs, labels)


@task_kind(
    "own",
    title="Own task",
    explanation="A network, data, loss and metric of one's own, from Python.",
    models="networks for a task of one's own",
    metric=Metric("own", "Own metric", "metric", False, "The metric that the problem was given; by default its loss."),
    samples="samples",
    answer=described,
    draw=shown,
    owns=are_own,
    whole_loss=own_loss,
    logits=False,
    unrepeatable="its outputs are judged by functions of your own",
    rank=45,
)
def judge(module: nn.Module, data: Samples, *, device: torch.device, batch_size: int, report: Report) -> Quality:
    """The own metric over all samples, or the own mean loss; where less is better, with its sign turned.

    Args:
        module: of `explorer.sources.own`, which knows the functions.

    Raises:
        ExplorerError: it is another one.
    """
    if not isinstance(module, OwnNetwork):
        raise ExplorerError("this network has no loss or metric of its own: open it as a problem")
    with evaluating(module, device):
        loss, value = BatchSize(batch_size).retry(lambda size: _judged(module, data, device, size, report))
    return Quality("own", value, None, None, len(data), loss)


@torch.inference_mode()
def _judged(module: OwnNetwork, data: Samples, device: torch.device, size: int, report: Report) -> tuple[float, float]:
    """Mean loss (0 where there is none) and metric."""
    total, done, outputs = 0.0, 0, []
    labels: list[Targets] = []
    for inputs, targets in batches(data, size):
        inputs, targets = inputs.to(device), to_device(targets, device)
        given = module.outputs_(inputs)
        if module.own_.loss is not None:
            total += float(module.loss_between(given, targets)) * len(inputs)
        outputs.append(given)
        labels += targets
        done += len(inputs)
        report(done / len(data), f"evaluated {done} of {len(data)}")
    loss = total / done
    return loss, module.judged(joined(outputs), labels, loss)


def joined(parts: list[Any]) -> Any:
    """The outputs of several batches as those of one."""
    leaves = [tree_flatten(part)[0] for part in parts]
    whole = [torch.cat(same) if isinstance(same[0], Tensor) else same[0] for same in zip(*leaves, strict=True)]
    return tree_unflatten(whole, tree_flatten(parts[0])[1])
