"""What a criterion works with: the model, its structure, and calibration data in bounded batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from explorer.batches import Samples, collate, subset, to_device
from explorer.device import BatchSize
from explorer.errors import ExplorerError
from explorer.progress import Report, part
from explorer.structure.types import Group, Structure
from explorer.tasks import model_loss


@dataclass(frozen=True)
class Context:
    """One scoring.

    Args:
        module: in eval mode on `device`; no parameter of it requires a gradient. A criterion may set `requires_grad`
            and add hooks; hooks it must remove.
        structure: whose groups are scored.
        data: pairs of an input and its label; None for a criterion that looks at weights alone.
        device: where the module computes.
        batch: how many inputs go through the module at once.
        seed: of all that is drawn.
        report: hears how far it is.
    """

    module: nn.Module
    structure: Structure
    data: Samples | None
    device: torch.device
    batch: BatchSize
    seed: int
    report: Report

    @property
    def examples(self) -> Samples:
        """The data, of a criterion that looks at inputs.

        Raises:
            ExplorerError: there is none.
        """
        if self.data is None:
            raise ExplorerError("this looks at inputs and there is no data: give some")
        return self.data

    def groups(self) -> Iterator[tuple[str, Group]]:
        """All groups by name, for criteria that look at one after the other."""
        groups = self.structure.groups
        for done, (name, group) in enumerate(groups.items()):
            self.report(done / len(groups), f"scoring {name}")
            yield name, group

    def batches(self, start: float = 0.0, stop: float = 1.0) -> Iterator[tuple[Tensor, Any]]:
        """Mini-batches of (images, labels) in the data's order, on the CPU, of sizes that differ by one at most.

        A criterion that takes several passes says which part of its work, from `start` to `stop`, this one is.
        """
        data, asked = self.examples, self.batch.size
        total = len(data)
        splits = np.array_split(np.arange(total), ceil(total / asked))
        done = 0
        report = part(self.report, start, stop)
        sampler = [split.tolist() for split in splits]
        # The loader asks for torch's own class and needs no more than samples by number.
        loader: DataLoader = DataLoader(data, batch_sampler=sampler, collate_fn=collate)  # type: ignore[arg-type]
        for images, labels in loader:
            report(done / total, f"scored {done} of {total} inputs{self._smaller(asked)}")
            yield images, labels
            done += len(images)
        report(1.0, f"scored {total} inputs{self._smaller(asked)}")

    def _smaller(self, asked: int) -> str:
        return f", {self.batch.size} at a time for lack of memory" if self.batch.size < asked else ""

    def chunks(self, size: int, *tensors: Any) -> Iterator[tuple[Any, ...]]:
        """The tensors, or lists of boxes, in slices of at most `size` along the batch, on the device."""
        for start in range(0, len(tensors[0]), size):
            yield tuple(to_device(tensor[start : start + size], self.device) for tensor in tensors)

    def sample_chunks(self, size: int, inputs: Tensor, labels: Any) -> Iterator[tuple[Tensor, Any]]:
        """As `chunks`, such that `loss` times the chunk's length is the sum of every sample's own loss.

        Where the loss is a mean over pixels or boxes, of which samples have different numbers, that takes one sample
        at a time.
        """
        one_by_one = isinstance(labels, list) or labels.dim() > 1
        yield from self.chunks(1 if one_by_one else size, inputs, labels)

    def loss(self, inputs: Tensor, labels: Any) -> Tensor:
        """The task's mean loss on a batch, differentiable.

        Raises:
            ExplorerError: the outputs fit no such labels, or a label has no output.
        """
        return model_loss(self.module, inputs, labels)


def calibration_slice(data: Samples, samples: int | None, seed: int) -> Samples:
    """`samples` examples of the data, in its order: drawn evenly from every class where the labels are known.

    Labels are known where `data` has `labels` or `targets` or is a `TensorDataset`; elsewhere reading them would
    mean reading the whole set, and the draw is uniform. All examples where `samples` is None or not fewer.

    Raises:
        ExplorerError: `samples` is below one.
    """
    if samples is None:
        return data
    if samples < 1:
        raise ExplorerError(f"scoring needs at least one sample, not {samples}: give a larger --samples")
    if samples >= len(data):
        return data
    order = np.random.default_rng(seed).permutation(len(data))
    labels = _labels(data)
    if labels is not None:
        order = order[np.argsort(_rank_in_class(labels[order]), kind="stable")]
    return subset(data, np.sort(order[:samples]).tolist())


def _labels(data: Samples) -> np.ndarray | None:
    for name in ("labels", "targets"):
        if (labels := getattr(data, name, None)) is not None:
            return np.asarray(labels)
    tensors: tuple[Tensor, ...] = getattr(data, "tensors", ())
    classes = len(tensors) > 1 and tensors[1].dim() == 1 and not tensors[1].is_floating_point()
    return tensors[1].numpy() if classes else None


def _rank_in_class(labels: np.ndarray) -> np.ndarray:
    """For every entry, how many entries of its class stand before it."""
    rank = np.empty(len(labels), dtype=int)
    for label in np.unique(labels):
        (places,) = np.nonzero(labels == label)
        rank[places] = np.arange(len(places))
    return rank
