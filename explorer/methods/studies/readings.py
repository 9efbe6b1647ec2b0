"""Other ways to read the same pictures: what a network's accuracy would be under each.

Weights do not tell how their pictures were normalised, in which order channels came, or how classes were numbered. A
network that is read wrongly looks bad, not broken. So the customary ways are tried on a few samples, and if answers are
right but for their names, the order of classes is found by the assignment that makes most of them right.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from explorer.batches import Samples, spread, subset
from explorer.device import choose_device
from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.progress import Report, part, silent
from explorer.sources import LoadedModel, load_pair, task_for
from explorer.sources.normalising import SCHEMES, customary, said
from explorer.sources.request import Normalisation
from explorer.sources.turning import with_options
from explorer.tasks import TASK_KINDS, Accuracy, Task, evaluate, wilson

SAMPLES = 256
MOST_CLASSES = 100  # whose order a ref can hold
TELLING = 0.1  # by which another way is better before it is worth a word


@dataclass(frozen=True)
class Way:
    """One way to read pictures and labels.

    Args:
        title: in words: "pictures normalised to −1…1".
        ref: the model's ref that says so; None where its source can't say it.
        top1, low, high: the accuracy and its 95 % interval.
    """

    title: str
    ref: str | None
    top1: float
    low: float
    high: float


@dataclass(frozen=True)
class Readings:
    """Ways to read the same data, the present one and then the others by their accuracy.

    Args:
        samples: of the validation data, that each was tried on.
        chance: what always answering the most frequent class would give.
    """

    now: Way
    others: tuple[Way, ...]
    samples: int
    chance: float

    @property
    def better(self) -> tuple[Way, ...]:
        """The ways that are better for sure: by more than their intervals, and by more than a little."""
        return tuple(way for way in self.others if way.low > self.now.high and way.top1 > self.now.top1 + TELLING)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        ways = [vars(way) for way in (self.now, *self.others)]
        return {"ways": ways, "better": len(self.better), "samples": self.samples, "chance": self.chance}


def readings(spec: Spec, report: Report = silent) -> Readings:
    """Tries other normalisations, channels from blue to red, and other orders of classes.

    Raises:
        ExplorerError: the model does not classify pictures, or the data has no labels that mean something.
        Cancelled: by the report.
    """
    report(0.0, f"loading {spec.model} and {spec.data}")
    model, task = load_pair(spec.model, spec.data, input_shape=spec.input_shape)
    if not task.measured or not task.mean or not TASK_KINDS[model.kind].classifies:
        raise ExplorerError("other readings are tried for classifiers of pictures, on data with labels: choose such")
    device = choose_device(spec.device)
    places = spread(len(task.validation), min(spec.samples or SAMPLES, SAMPLES))
    ways: list[Way] = []
    candidates = _candidates(model, task)
    data: dict[Normalisation | None, Samples] = {}
    for number, reading in enumerate(candidates):
        normalisation = reading.model.normalisation
        if normalisation not in data:
            data[normalisation] = task_for(reading.model, spec.data).validation
        pictures = _Swapped(data[normalisation]) if reading.swapped else data[normalisation]
        stage = part(report, number / len(candidates), (number + 1) / len(candidates))
        found = evaluate(model.module, subset(pictures, places), kind=task.kind, device=device, report=stage)
        assert isinstance(found, Accuracy)
        ways.append(_way(reading.title, model.ref, reading.options, (found.top1, found.low, found.high)))
        if (order := _order(found, len(task.classes))) is not None:
            right = int((order[found.labels] == found.predictions).sum())
            whole = np.array(model.order)[order] if model.order else order  # of the weights as the file has them
            same = (whole == np.arange(len(whole))).all()
            ordered = {**reading.options, "outputs": "" if same else ",".join(map(str, whole))}
            quality = (right / len(places), *wilson(right, len(places)))
            ways.append(_way(f"{reading.title}, classes in another order", model.ref, ordered, quality))
    now, *others = ways
    others.sort(key=lambda way: -way.top1)
    return Readings(now, tuple(others), len(places), float(found.class_samples.max() / found.samples))


@dataclass(frozen=True)
class _Reading:
    """A way to be tried: another normalisation, perhaps channels from blue to red, and what a ref says for it."""

    title: str
    model: LoadedModel
    swapped: bool
    options: dict[str, str]


def _candidates(model: LoadedModel, task: Task) -> list[_Reading]:
    """The present way, and then the others."""
    channels = model.input_shape[0]
    mean, std = (tuple(values) * (channels // len(values)) for values in (task.mean, task.std))
    usual = {customary(name, channels): {"normalise": name} for name in SCHEMES}
    now: Normalisation = mean, std
    found = [_Reading("as it is read now", model, False, {})]
    for normalisation, options in {now: {}, **{other: told for other, told in usual.items() if other != now}}.items():
        other, title = replace(model, normalisation=normalisation), f"pictures normalised {said(normalisation)}"
        if normalisation != now:
            found.append(_Reading(title, other, False, options))
        if channels == 3:
            turned = {**options, "channels": "" if model.bgr else "bgr"}
            found.append(_Reading(f"{title}, channels from blue to red", other, True, turned))
    return found


def _way(title: str, ref: str, options: dict[str, str], quality: tuple[float, float, float]) -> Way:
    return Way(title, with_options(ref, options) if options else ref, *quality)


def _order(found: Accuracy, classes: int) -> np.ndarray | None:
    """For each class the output that answers it, where another order makes clearly more answers right.

    Any order can be fitted to few answers, so one that is found on half of them has to prove itself on the others.
    """
    if classes > MOST_CLASSES:
        return None
    half = np.arange(len(found.labels)) % 2 == 0
    tried = _assigned(found.labels[half], found.predictions[half], classes)
    labels, answers = found.labels[~half], found.predictions[~half]
    gain = (tried[labels] == answers).mean() - (labels == answers).mean()
    return _assigned(found.labels, found.predictions, classes) if gain > 2 * TELLING else None


def _assigned(labels: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """For each class the output that makes most answers right, each output once."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (labels, answers), 1)
    return linear_sum_assignment(counts, maximize=True)[1]


class _Swapped(torch.utils.data.Dataset):
    """Pictures with their channels in the opposite order."""

    def __init__(self, data: Samples) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        picture, label = self._data[index]
        return picture.flip(0), label
