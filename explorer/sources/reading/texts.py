"""Texts with classes or scores as tasks: token ids of one length."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from explorer import memory
from explorer.errors import ExplorerError, one_line
from explorer.tasks import Task

MOST_TEXTS = 200_000
_AT_ONCE, _BYTES = 1000, 8  # texts that are made into tokens together; of a token's id
SCORE = ("score",)  # what stands for classes where texts have scores


class Tokenizer:
    """Texts → int64 token ids (texts, length), cut at `length` and padded on the right.

    Wraps a tokenizer of transformers. `padding` is the id that fills up.
    """

    def __init__(self, inner: Any, length: int) -> None:
        if inner.pad_token_id is None:
            inner.pad_token = inner.eos_token or inner.unk_token
        inner.padding_side = "right"
        self._inner, self.length, self.padding = inner, length, inner.pad_token_id

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Token ids.

        Raises:
            ExplorerError: they would take too much memory, or the tokenizer fails.
        """
        size = 2 * _BYTES * len(texts) * self.length  # twice: then each part has its own
        memory.require(size, f"{len(texts):,} texts of {self.length} tokens", "give fewer texts, or a smaller --input")
        tokens = torch.empty(len(texts), self.length, dtype=torch.int64)
        for start in range(0, len(texts), _AT_ONCE):
            part = list(texts[start : start + _AT_ONCE])
            try:
                found = self._inner(part, padding="max_length", truncation=True, max_length=self.length)
                tokens[start : start + _AT_ONCE] = torch.tensor(found["input_ids"], dtype=torch.int64)
            except Exception as error:  # of a library that runs what a model's files say
                raise ExplorerError(f"the model's tokenizer can't read these texts: {one_line(error)}") from None
        return tokens

    def save(self, folder: Path) -> None:
        """Writes its files, which `AutoTokenizer.from_pretrained` reads."""
        self._inner.save_pretrained(folder)


@dataclass(frozen=True)
class Texts:
    """Texts with an int64 class or a float32 score each; `classes` are the names, of scores only ``("score",)``.

    `parts` are the indices of train, calibration, validation and test.
    """

    title: str
    texts: list[str]
    labels: np.ndarray
    classes: tuple[str, ...]
    parts: dict[str, np.ndarray]

    @property
    def kind(self) -> str:
        """A key of `TASK_KINDS`."""
        return "text-regression" if self.labels.dtype.kind == "f" else "text-classification"


def text_task(ref: str, held: Texts, tokenizer: Tokenizer | None) -> Task:
    """The texts as a task for the model that the tokenizer belongs to.

    Raises:
        ExplorerError: there is no tokenizer.
    """
    if tokenizer is None:
        raise ExplorerError(f"{ref} is made of texts, and the model has no tokenizer: choose a Hugging Face text model")
    labels = torch.from_numpy(held.labels)
    tokens = tokenizer(held.texts)
    data = {name: TensorDataset(tokens[index], labels[index]) for name, index in held.parts.items()}
    shown = {name: tuple(held.texts[i] for i in index) for name, index in held.parts.items()}
    return Task(
        ref,
        held.title,
        held.classes,
        (tokenizer.length,),
        (),
        (),
        **data,
        note=f"texts cut or padded to {tokenizer.length} tokens",
        kind=held.kind,
        texts=shown,
    )
