"""A network as its ref names it."""

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from explorer import memory
from explorer.errors import ExplorerError, one_line
from explorer.sources.networks.hub_models import example_ids
from explorer.sources.reading.texts import Tokenizer
from explorer.sources.request import Normalisation
from explorer.tasks import DEFAULT_KIND, Task


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A network as its ref names it: on the CPU, float32, in eval mode.

    Args:
        ref: the model ref.
        module: one tensor in, one tensor of outputs out.
        input_shape: (C, H, W) of an image, or (L,) of a text in tokens.
        classes: the number of outputs.
        trained: whether its weights are more than random.
        title: for a person.
        note: what a person should know about it.
        architecture: what `build` makes the same network from, untrained.
        data: the ref of the data that it was trained on, if known.
        kind: of the task that it is made for, a key of `TASK_KINDS`.
        tokenizer: makes its inputs of texts, where it reads texts and has one.
        normalisation: of the pictures that it wants; None: that of the data.
        bgr: whether its weights read blue, green, red; see `explorer.sources.turning`.
        order: for each class the number of the output that its weights have for it; empty: as they come.
        task: what the network came with, of a person's own problem; `data` is its ref.
        inputs: one input, (1, …), where it is neither a picture nor a text.
        choices: where the ref names one of several sets of weights, the name and the ref of each.
    """

    ref: str
    module: nn.Module
    input_shape: tuple[int, ...]
    classes: int
    trained: bool
    title: str
    note: str
    architecture: dict[str, Any]
    data: str | None = None
    kind: str = DEFAULT_KIND
    tokenizer: Tokenizer | None = None
    normalisation: Normalisation | None = None
    bgr: bool = False
    order: tuple[int, ...] = ()
    task: Task | None = None
    inputs: Tensor | None = None
    choices: tuple[tuple[str, str], ...] = ()

    def example(self, batch: int = 1) -> Tensor:
        """Inputs that are always the same: normal noise (batch, C, H, W), random token ids (batch, L), or its own.

        Raises:
            ExplorerError: so many would take too much memory.
        """
        memory.require(4 * batch * prod(self.input_shape), f"a batch of {batch:,}", "use a smaller batch or input")
        if self.inputs is not None:
            return self.inputs.repeat_interleave(batch, 0)
        if len(self.input_shape) == 1:
            return example_ids(self.module, self.input_shape[0], batch)
        return torch.randn(batch, *self.input_shape, generator=torch.Generator().manual_seed(0))

    @torch.no_grad()
    def taking(self, shape: tuple[int, ...]) -> "LoadedModel":
        """The same for inputs of another shape, tried on one.

        Raises:
            ExplorerError: it can't take that.
        """
        if shape == self.input_shape:
            return self
        if len(shape) != len(self.input_shape):
            wanted = (
                "images: write 3x224x224" if len(self.input_shape) == 3 else "texts: write the number of tokens, 64"
            )
            raise ExplorerError(f"{self.ref} can't take input {in_words(shape)}: it reads {wanted}")
        other = replace(self, input_shape=shape)
        try:
            self.module(other.example())
        except (RuntimeError, AssertionError, ValueError, IndexError) as error:
            raise ExplorerError(
                f"{self.ref} can't take input {in_words(shape)} (its own is {in_words(self.input_shape)}): "
                f"{one_line(error)}"
            ) from None
        return other


def in_words(shape: tuple[int, ...]) -> str:
    """A shape for a person: ``3×224×224``."""
    return "×".join(str(size) for size in shape)
