"""What is exported, and a bundle while it is written."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from explorer.batches import fetch
from explorer.errors import ExplorerError
from explorer.pruning import Plan
from explorer.sources import LoadedModel
from explorer.tasks import TASK_KINDS, Task

LARGEST_CHECK = 2**25  # values (128 MiB) of evaluation inputs that the files are compared on


@dataclass(frozen=True, eq=False)
class Exportable:
    """A pruned network with what its files tell of it.

    Args:
        module: the cut, recovered network.
        loaded: the network that it came from.
        task: the data that it was made with; its test split is what the files are checked on.
        title: what the network is called.
        plan: what was cut.
        attributes: ``{layer: {attribute: value}}`` that `adapt` needs besides the tensors.
        pruned_at: for each weight of which single entries were set to zero, the number of the step that did it, 0 where
            it stays; empty where channels were cut.
        made: how it was made of the network that it came from: "pruned" or "trained".
        steps: writes the models on the way into a bundle's folder, given it and its report so far; None where there
            are none.
    """

    module: nn.Module
    loaded: LoadedModel
    task: Task
    title: str
    plan: Plan
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pruned_at: Mapping[str, Tensor] = field(default_factory=dict)
    made: str = "pruned"
    steps: Callable[[Path, Mapping[str, Any]], None] | None = None

    @property
    def classes(self) -> list[str] | int:
        """The names of the network's outputs, or how many there are where the data's names mean nothing."""
        return (list(self.task.classes) if self.task.measured else []) or self.loaded.classes

    @property
    def outputs(self) -> int:
        """How many numbers the network gives for a class each."""
        return self.classes if isinstance(self.classes, int) else len(self.classes)

    @property
    def classifies(self) -> bool:
        """Whether its outputs are (batch, classes), of which the largest counts."""
        return TASK_KINDS[self.loaded.kind].classifies

    def example(self) -> Tensor:
        """A batch of two inputs."""
        if self.loaded.inputs is None and self.loaded.tokenizer is None and len(self.loaded.input_shape) == 3:
            return torch.zeros(2, *self.loaded.input_shape)
        return self.loaded.example(2)

    def inputs(self, most: int | None = None) -> tuple[Tensor, Tensor]:
        """Real inputs to check files on and their labels: `most`, by default as many as a bound on memory lets.

        Raises:
            ExplorerError: there are none.
        """
        most = most or max(8, LARGEST_CHECK // math.prod(self.loaded.input_shape))
        count = min(len(self.task.test), most)
        if count == 0:
            raise ExplorerError("an export is checked on real inputs and there are none: choose data with a test split")
        return fetch(self.task.test, torch.arange(count))

    def told(self) -> dict[str, Any]:
        """What a report tells of the network, and what ``run:`` refs read of it."""
        used = {"mean": list(self.task.mean), "std": list(self.task.std)} if self.task.mean else None
        return {
            "title": self.title,
            "made": self.made,
            "trained": self.loaded.trained,
            "model": self.loaded.ref,
            "data": self.task.ref,
            "architecture": self.loaded.architecture,
            "attributes": self.attributes,
            "input_shape": list(self.loaded.input_shape),
            "classes": self.classes,
            "kind": self.loaded.kind,
            "tokenizer": self.loaded.tokenizer is not None,
            "normalisation": used,
        }


@dataclass(frozen=True, eq=False)
class Draft:
    """A bundle while it is written.

    Args:
        folder: where its files are put.
        exported: the network.
        document: the bundle's report as far as it is known; formats add to it.
        inputs: real inputs, (samples, ...), that files are checked on.
        labels: their labels, None where no class is right or wrong.
    """

    folder: Path
    exported: Exportable
    document: dict[str, Any]
    inputs: Tensor = field(repr=False)
    labels: Tensor | None = field(repr=False)

    @classmethod
    def of(cls, folder: Path, exported: Exportable, document: dict[str, Any], most: int | None = None) -> "Draft":
        """A draft with `most` inputs to check on, see `Exportable.inputs`.

        Raises:
            ExplorerError: there are no inputs.
        """
        inputs, labels = exported.inputs(most)
        judged = exported.task.measured and exported.classifies
        return cls(folder, exported, document, inputs, labels if judged else None)
