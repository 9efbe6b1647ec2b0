"""How a model's pictures are normalised, as its ref can say it: ``?mean=0.5&std=0.25`` or ``?normalise=imagenet``."""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from explorer.errors import ExplorerError
from explorer.sources.refs import one_of

if TYPE_CHECKING:
    from explorer.sources.request import Normalisation

SCHEMES: Mapping[str, str] = {  # names of the customary ones, and what they do
    "imagenet": "as for ImageNet",
    "half": "to −1…1",
    "none": "not at all (pixels of 0…1)",
    "bytes": "not at all (pixels of 0…255)",
}
_ALIKE = {"half": (0.5, 0.5), "none": (0.0, 1.0), "bytes": (0.0, 1 / 255)}  # mean and std of every channel


def numbers(text: str) -> tuple[float, ...]:
    """Numbers with commas between them.

    Raises:
        ValueError: they are none.
    """
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = (math.nan,)
    if not all(map(math.isfinite, values)):
        raise ValueError("give a number, or one for each channel with commas between them")
    return values


NORMALISING: Mapping[str, Callable[[str], Any]] = {"mean": numbers, "std": numbers, "normalise": one_of(*SCHEMES)}


def chosen(ref: str, options: Mapping[str, Any], channels: int, own: "Normalisation | None") -> "Normalisation | None":
    """The mean and standard deviation that a ref's options say, a number per channel; without any, the model's own.

    Raises:
        ExplorerError: the options contradict each other, or don't fit the channels.
    """
    mean, std, name = (options.get(key) for key in NORMALISING)
    if name is None and mean is None and std is None:
        return own
    if (mean is None) != (std is None) or (name is not None and mean is not None):
        raise ExplorerError(f"{ref!r} normalises in part or twice: write mean=…&std=… together, or normalise=NAME")
    if name is not None:
        return customary(name, channels)
    if any(len(values) not in (1, channels) for values in (mean, std)):
        raise ExplorerError(f"{ref!r} should give one number, or one for each of {channels} channels")
    if min(std) <= 0:
        raise ExplorerError(f"{ref!r} should give a std above 0")
    mean, std = (values * (channels // len(values)) for values in (mean, std))
    return mean, std


def customary(name: str, channels: int) -> "Normalisation":
    """The mean and standard deviation of one of `SCHEMES`, a number per channel."""
    if name == "imagenet":
        from explorer.sources.reading.picture_files import natural  # only here: models are listed without torch

        return natural(channels)
    mean, std = _ALIKE[name]
    return (mean,) * channels, (std,) * channels


def said(normalisation: "Normalisation | None") -> str:
    """It in a few words, for a person."""
    if normalisation is None:
        return "as the data says, since what the weights were trained with is not known"
    mean, std = normalisation
    for name, words in SCHEMES.items():
        if customary(name, len(mean)) == normalisation:
            return words
    return f"by mean {_listed(mean)} and std {_listed(std)}"


def _listed(values: tuple[float, ...]) -> str:
    alike = values[:1] if len(set(values)) == 1 else values
    return ", ".join(f"{value:.3g}" for value in alike)
