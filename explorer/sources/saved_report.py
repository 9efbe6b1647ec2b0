"""What `run:` refs read of a bundle's report."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from explorer.documents import Document, Number, Text, checked
from explorer.reading import read_object
from explorer.tasks import DEFAULT_KIND, TASK_KINDS

Size = Annotated[int, Field(ge=1, le=2**24)]
Spread = Annotated[float, Field(gt=0, le=1e15)]


class Normalisation(Document):
    """Of pixels, channel by channel."""

    mean: Annotated[list[Number], Field(min_length=1)]
    std: Annotated[list[Spread], Field(min_length=1)]


class Architecture(Document):
    """What a network is built from, see `explorer.sources.networks.architectures.build`."""

    family: Text
    name: Text
    arguments: dict[str, Any]


class Attributes(Document):
    """What `adapt` needs of a report besides the tensors."""

    attributes: dict[str, dict[str, Any]]


class SavedNetwork(Attributes):
    """The network of a bundle: how it is built, what its layers were given, and what its inputs are."""

    architecture: Architecture
    classes: Size | Annotated[list[Text], Field(min_length=1)]
    input_shape: Annotated[list[Size], Field(min_length=1, max_length=8)]
    model: Text
    title: Text
    data: Text | None
    trained: bool = True
    made: Literal["pruned", "trained"] = "pruned"
    kind: Text = DEFAULT_KIND
    normalisation: Normalisation | None = None

    @model_validator(mode="after")
    def _kind_is_known(self) -> Self:
        if self.kind not in TASK_KINDS:
            raise ValueError(f"there is no kind of task {self.kind!r}")
        return self


def read_saved(path: Path) -> dict[str, Any]:
    """The report of a bundle, as far as it tells of a network.

    Raises:
        FileNotFoundError, NotADirectoryError: there is none.
        DamagedError, ExplorerError: it is damaged, or can't be read.
    """
    return checked(read_object(path), SavedNetwork, path)
