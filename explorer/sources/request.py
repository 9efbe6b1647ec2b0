"""What models and data ask of each other."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.errors import ExplorerError
from explorer.sources.reading.texts import Tokenizer

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, int, int]  # channels, height, width
Normalisation = tuple[tuple[float, ...], tuple[float, ...]]  # mean and standard deviation, a number per channel


@dataclass(frozen=True)
class ModelRequest:
    """What the data asks of a model; None: nothing.

    Args:
        shape: (C, H, W) or (L,), in place of the model's own.
        classes: how many outputs.
        kind: a key of `TASK_KINDS`.
    """

    shape: tuple[int, ...] | None = None
    classes: int | None = None
    kind: str | None = None


@dataclass(frozen=True)
class Description:
    """What a model must be to fit the data.

    Args:
        kind: a key of `TASK_KINDS`.
        classes: their names.
    """

    kind: str
    classes: tuple[str, ...]


@dataclass(frozen=True)
class InputRequest:
    """What a model asks of its data; None: nothing.

    Args:
        shape: (C, H, W) of an image, or (L,) of a text in tokens.
        classes: the number of its outputs.
        tokenizer: makes its inputs of texts.
        normalisation: of its pictures.
        inputs: one of its inputs, (1, …), where these are neither pictures nor texts.
    """

    shape: tuple[int, ...] | None = None
    classes: int | None = None
    tokenizer: Tokenizer | None = None
    normalisation: Normalisation | None = None
    inputs: "Tensor | None" = None

    def image(self) -> Shape | None:
        """The shape of an image.

        Raises:
            ExplorerError: the model takes none.
        """
        if self.shape is None:
            return None
        if len(self.shape) != 3:
            raise ExplorerError("this data has images but the model reads texts: choose text data, such as sentences")
        channels, height, width = (int(size) for size in self.shape)
        return channels, height, width

    def normalised(self, default: Normalisation) -> Normalisation:
        return self.normalisation or default
