"""`random`: noise with random labels, of any shape, for timing."""

import torch
from torch import Tensor
from torch.utils.data import Dataset

from explorer.batches import Targets
from explorer.registry import Number
from explorer.sources.refs import read_options
from explorer.sources.registries import data_source
from explorer.sources.request import InputRequest
from explorer.tasks import Task

SETTINGS = {
    "classes": Number(None, 2, 100_000, "how many; by itself as many as the model has", whole=True),
    "seed": Number(0, 0, 2**31 - 1, "of the noise", whole=True),
}
_SIZES = {"train": 512, "calibration": 256, "validation": 128, "test": 256}


@data_source(
    "random",
    title="Random noise (timing only)",
    explanation="Noise with random labels, for any model: for timing, no accuracy is measured on it.",
    settings=SETTINGS,
    noise=True,
    rank=70,
)
def noise_task(ref: str, request: InputRequest) -> Task:
    options = read_options(ref, SETTINGS)
    count = options["classes"] or request.classes or 10
    shape = tuple(request.shape or (3, 224, 224))
    first, parts = options["seed"] << 32, {}
    for name, size in _SIZES.items():
        parts[name] = Noise(size, shape, count, first) if request.inputs is None else Repeated(size, request.inputs[0])
        first += size
    names: tuple[str, ...] = tuple(f"class {number}" for number in range(count))
    what = "noise" if len(shape) == 3 else "random tokens"
    if request.inputs is not None:
        names, what = (), "the network's example over and over"
    note = f"{what} with random labels, for timing: no accuracy is measured on it"
    return Task(ref, "Random noise", names, shape, (0.5,), (0.25,), **parts, note=note, measured=False)


class Noise(Dataset):
    """Normal noise, or random tokens, with random labels; example i depends on nothing but the seed and i."""

    def __init__(self, size: int, shape: tuple[int, ...], classes: int, first: int) -> None:
        self._size, self._shape, self._classes, self._first = size, shape, classes, first

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        if not 0 <= index < self._size:
            raise IndexError(index)
        generator = torch.Generator().manual_seed(self._first + int(index))
        if len(self._shape) == 1:  # low ids, which every vocabulary has
            inputs = torch.randint(4, 50, self._shape, generator=generator)
            inputs[-1] = 1  # the end of the text where a model looks for one
        else:
            inputs = torch.randn(self._shape, generator=generator)
        return inputs, int(torch.randint(self._classes, (), generator=generator))


class Repeated(Dataset):
    """One input of a network that takes neither pictures nor texts, over and over, without any target."""

    def __init__(self, size: int, inputs: Tensor) -> None:
        self._size, self._inputs = size, inputs

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> tuple[Tensor, Targets]:
        if not 0 <= index < self._size:
            raise IndexError(index)
        return self._inputs, Targets({})
