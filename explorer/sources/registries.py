"""Where models and data come from, by name: the records of sources, and of the layouts that folders can have."""

from collections.abc import Callable
from dataclasses import dataclass, field

from explorer.registry import Entry, Registry
from explorer.sources.refs import Place, check_text


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

    `function(rest, request)` opens what stands after the colon, for a `ModelRequest`, as a `LoadedModel`; of a source
    that has a `place` it is given the `Place` instead.

    Args:
        takes: what stands after the colon, for a person: "NAME".
        entries: () → the refs that need no path, as `ModelEntry`; None: there are none.
        outputs: the option of a ref that says how many outputs a new network has; empty: it has none.
        base: whether its refs can name the network of a file's weights.
        place: ref → what it names, one of the readers in `explorer.sources.refs`; None: its refs name no path.
    """

    takes: str
    entries: Callable[[], list[ModelEntry]] | None = field(default=None, repr=False)
    outputs: str = ""
    base: bool = False
    place: Callable[[str], Place] | None = field(default=None, repr=False)


MODEL_SOURCES: Registry[ModelSource] = Registry(
    "kind of model", ModelSource, decorator="model_source", package="explorer.sources.models"
)
model_source = MODEL_SOURCES.register


@dataclass(frozen=True, kw_only=True)
class DataSource(Entry):
    """Where data comes from: refs ``name?options``, or ``name:…`` where it `takes` something.

    `function(ref, request)` makes the `Task`, with inputs as an `InputRequest` wants them; of a source that has a
    `place` it is given the `Place` in the ref's stead.

    Args:
        takes: what stands after the colon, for a person: "PATH"; empty: there is no colon.
        entries: () → the refs and titles of its data that needs no path; None: the name itself where it takes nothing.
        describe: ref, or `Place` → the `Description` of its data, told without making inputs of it; None, or giving
            None: that takes a look at them, for which no tokenizer is needed.
        noise: whether its labels mean nothing, so that it fits any model.
        place: as of a `ModelSource`.
    """

    takes: str = ""
    entries: Callable[[], list[tuple[str, str]]] | None = field(default=None, repr=False)
    describe: Callable[..., object] | None = field(default=None, repr=False)
    noise: bool = False
    place: Callable[[str], Place] | None = field(default=None, repr=False)


DATA_SOURCES: Registry[DataSource] = Registry(
    "data", DataSource, decorator="data_source", package="explorer.sources.data"
)
data_source = DATA_SOURCES.register


@dataclass(frozen=True, kw_only=True)
class FolderLayout(Entry):
    """How files of one kind of task lie in a folder; a folder is read by the first layout that it has.

    `function(folder, request)` makes the `Task` of a `Folder`, see `explorer.sources.reading.folders`.

    Args:
        fits: `Folder` → whether what lies there has this layout.
        describe: `Folder` → as of a `DataSource`.
        options: which options of ``folder:PATH?…`` it takes.
    """

    fits: Callable[..., bool] = field(repr=False)
    describe: Callable[..., object] | None = field(default=None, repr=False)
    options: tuple[str, ...] = ()


FOLDER_LAYOUTS: Registry[FolderLayout] = Registry(
    "folder layout", FolderLayout, decorator="folder_layout", package="explorer.sources.data"
)
folder_layout = FOLDER_LAYOUTS.register


def places(ref: str) -> list[Place]:
    """Everything that a ref of a model or of data names, also what it names behind a ``#``; empty where it needs none.

    Raises:
        ExplorerError: it can't be read.
    """
    scheme = check_text(ref).partition(":")[0]
    sources = [registry.declared().get(scheme) for registry in (MODEL_SOURCES, DATA_SOURCES)]
    found = [source.place(ref) for source in sources if source is not None and source.place is not None]
    return found + [inner for place in found if "#" in ref for inner in places(place.rest)]
