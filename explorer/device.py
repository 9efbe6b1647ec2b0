"""Where tensors live: choosing a device, describing it, and surviving its running out of memory."""

import contextlib
import logging
import platform
from collections.abc import Callable
from typing import TypeVar

import torch

from explorer.errors import ExplorerError

T = TypeVar("T")
log = logging.getLogger(__name__)


def choose_device(name: str = "auto") -> torch.device:
    """The device named `auto`, `cpu`, `cuda`, `cuda:1`, `mps`, …

    Raises:
        ExplorerError: the device is unknown, or not present on this machine.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ExplorerError(f"unknown device {name!r}: use auto, cpu, cuda or mps") from None
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not present.get(device.type, False):
        raise ExplorerError(f"device {name!r} is not present on this machine: use --device auto or cpu")
    return device


def describe_device(device: torch.device) -> str:
    """A device's name for a person: ``NVIDIA H100`` or ``CPU (x86_64, 2 threads)``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return f"Apple GPU ({platform.machine()})"
    threads = torch.get_num_threads()
    return f"CPU ({platform.machine()}, {threads} {'thread' if threads == 1 else 'threads'})"


def training_precision(device: torch.device) -> contextlib.AbstractContextManager:
    """Mixed precision for training where it pays: bfloat16 on CUDA, float32 elsewhere.

    Only training uses it. Scores and accuracies are always computed in float32, so that no
    decision depends on the device's precision.
    """
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return contextlib.nullcontext()


class BatchSize:
    """A batch size that halves when the device runs out of memory, and says so once each time."""

    def __init__(self, size: int, announce: Callable[[str], None] | None = None) -> None:
        self.size = size
        self._announce = announce or log.warning

    def retry(self, work: Callable[[int], T]) -> T:
        """``work(size)``, repeated from its beginning with half the size after an out-of-memory error.

        Raises:
            ExplorerError: even a batch of one does not fit.
        """
        while True:
            try:
                return work(self.size)
            except torch.OutOfMemoryError as error:
                if self.size == 1:
                    raise ExplorerError(
                        "the device has too little memory for a batch of one: use a smaller input or --device cpu"
                    ) from error
            self.size = max(1, self.size // 2)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self._announce(f"out of memory: going on with batches of {self.size}")
