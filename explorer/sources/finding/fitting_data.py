"""The data that fits a model, told without opening any."""

from dataclasses import dataclass, replace

from explorer.errors import ExplorerError
from explorer.sources.finding.candidate import DATA, Candidate
from explorer.sources.listing import list_tasks
from explorer.sources.loaded import LoadedModel
from explorer.sources.loading import can_take_any_classes
from explorer.sources.registries import DATA_SOURCES, DataSource
from explorer.tasks import TASK_KINDS

OWN, FITS, NEW_LAYER, TIMING = range(4)


@dataclass(frozen=True)
class Fit:
    """How data fits a model.

    Args:
        candidate: the data; `why` says how it fits.
        how: `OWN`: what the model was trained on; `FITS`: it can be judged on it as it is; `NEW_LAYER`: once a
            training has given it a new last layer; `TIMING`: its labels mean nothing.
    """

    candidate: Candidate
    how: int


def data_for(model: LoadedModel) -> list[Fit]:
    """The data that needs no path and fits the model, what it was trained on first.

    Fitting means: of its kind of task, with as many classes, or with others where a network can be trained for them.
    Pictures are brought to the model's input. Data of which only a download could tell its classes is left out.
    """
    listed = dict(list_tasks())
    if model.data is not None and ":" not in model.data:
        listed = {model.data: listed.get(model.data.partition("?")[0], model.data)} | listed
    found = [fit for ref, title in listed.items() if (fit := _fit(model, ref, title)) is not None]
    return sorted(found, key=lambda fit: fit.how)


def _fit(model: LoadedModel, ref: str, title: str) -> Fit | None:
    """How data fits; None where it doesn't, or nobody knows before it is downloaded."""
    source = DATA_SOURCES[ref.partition(":")[0].partition("?")[0]]
    candidate = Candidate(ref, title, "for timing only", DATA)
    if source.noise:
        return Fit(candidate, TIMING)
    classes = _classes(source, ref, model.kind)
    if classes is None:
        return None
    if ref == model.data:
        return Fit(replace(candidate, why="what it was trained on"), OWN)
    noun = f"{classes} classes" if TASK_KINDS[model.kind].classifies else TASK_KINDS[model.kind].title.lower()
    if classes == model.classes or can_take_any_classes(model):
        return Fit(replace(candidate, why=noun), FITS)
    return Fit(replace(candidate, why=f"{noun}: with a new last layer, which is trained first"), NEW_LAYER)


def _classes(source: DataSource, ref: str, kind: str) -> int | None:
    """How many classes data of the kind of task has; None where it is of another, or can't tell."""
    try:
        told = source.describe(ref) if source.describe is not None and source.place is None else None
    except ExplorerError:
        return None
    return len(told.classes) if told is not None and told.kind == kind else None
