"""Where models and data come from, by name: the records of sources, and of the layouts that folders can have."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from explorer.registry import Entry, Registry


@dataclass(frozen=True)
class ModelEntry:
    """A line of the list of models."""

    ref: str
    title: str
    input_shape: tuple[int, int, int]
    trained: bool
    note: str


@dataclass(frozen=True, kw_only=True)
class ModelSource(Entry):
    """Where networks come from: refs ``name:…``.

    `function(rest, request)` opens what stands after the colon, for a `ModelRequest`, as a `LoadedModel`.

    Args:
        takes: what stands after the colon, for a person: "NAME".
        entries: () → the refs that need no path, as `ModelEntry`; None: there are none.
        outputs: the option of a ref that says how many outputs a new network has; empty: it has none.
        base: whether its refs can name the network of a file's weights.
        path: what stands after the colon → the file or folder that is read, None where it names none.
    """

    takes: str
    entries: Callable[[], list[ModelEntry]] | None = field(default=None, repr=False)
    outputs: str = ""
    base: bool = False
    path: Callable[[str], Path | None] | None = field(default=None, repr=False)


MODEL_SOURCES: Registry[ModelSource] = Registry(
    "kind of model", ModelSource, decorator="model_source", package="explorer.sources.models"
)
model_source = MODEL_SOURCES.register


@dataclass(frozen=True, kw_only=True)
class DataSource(Entry):
    """Where data comes from: refs ``name?options``, or ``name:…`` where it `takes` something.

    `function(ref, request)` makes the `Task`, with inputs as an `InputRequest` wants them.

    Args:
        takes: what stands after the colon, for a person: "PATH"; empty: there is no colon.
        entries: () → the refs and titles of its data that needs no path; None: the name itself where it takes nothing.
        describe: ref → the `Description` of data that takes a tokenizer to open; None, or giving None: it takes none.
        noise: whether its labels mean nothing, so that it fits any model.
        path: as of a `ModelSource`.
    """

    takes: str = ""
    entries: Callable[[], list[tuple[str, str]]] | None = field(default=None, repr=False)
    describe: Callable[..., object] | None = field(default=None, repr=False)
    noise: bool = False
    path: Callable[[str], Path | None] | None = field(default=None, repr=False)


DATA_SOURCES: Registry[DataSource] = Registry(
    "data", DataSource, decorator="data_source", package="explorer.sources.data"
)
data_source = DATA_SOURCES.register


@dataclass(frozen=True, kw_only=True)
class FolderLayout(Entry):
    """How files of one kind of task lie in a folder; a folder is read by the first layout that it has.

    `function(path, request)` makes the `Task`.

    Args:
        fits: path → whether what lies there has this layout.
        describe: as of a `DataSource`, of a path.
    """

    fits: Callable[[str], bool] = field(repr=False)
    describe: Callable[..., object] | None = field(default=None, repr=False)


FOLDER_LAYOUTS: Registry[FolderLayout] = Registry(
    "folder layout", FolderLayout, decorator="folder_layout", package="explorer.sources.data"
)
folder_layout = FOLDER_LAYOUTS.register
