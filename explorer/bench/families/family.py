"""What a family of networks is: a name, the packages it needs, and how each of its networks is made."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from explorer.errors import ExplorerError
from explorer.structure.running import Inputs

Made = tuple[nn.Module, Inputs]  # an untrained network and a batch of two
Builder = Callable[[], Made]
PIXELS = 64  # of a side, where a network takes images that small
CLASSES = 10


@dataclass(frozen=True)
class Family:
    """Networks from one place.

    Args:
        name: what stands before the colon.
        builders: by the name behind it; packages are only imported when one is called.
        package: a module that takes long to import and that most of them need; it may be missing.
        settled: those whose batch norms need the statistics of their input; they would else forget what they see.
    """

    name: str
    builders: Mapping[str, Builder]
    package: str = ""
    settled: frozenset[str] = frozenset()


class NotInstalledError(ExplorerError):
    """The package that a network comes from is missing, so that nothing can be said about it."""


def package(name: str, distribution: str | None = None) -> Any:
    """The module `name`.

    Raises:
        NotInstalledError: its distribution (of the same name, if not told) is not there.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = distribution or name.partition(".")[0]
        raise NotInstalledError(f"{missing} is not installed ({error}): pip install {missing}") from None
