"""Where tensors live: choosing a device, describing it, and surviving its running out of memory."""

import logging
import os
import platform
from collections.abc import Callable
from typing import TypeVar

import torch

from explorer.distributed import processes
from explorer.errors import ExplorerError, ResourceError

T = TypeVar("T")
log = logging.getLogger(__name__)
_NO_MEMORY = ("DefaultCPUAllocator: can't allocate memory", "MPS backend out of memory")


def choose_device(name: str = "auto") -> torch.device:
    """The device named `auto`, `cpu`, `cuda`, `cuda:1`, `mps`, …; of several processes each gets a GPU of its own.

    Raises:
        ExplorerError: the device is unknown, not present on this machine, or a single GPU for several processes.
    """
    if name in ("auto", "cuda") and processes() > 1 and torch.cuda.is_available():
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ExplorerError(f"unknown device {name!r}: use auto, cpu, cuda or mps") from None
    number = device.index or 0
    present = {
        "cpu": number == 0,
        "cuda": torch.cuda.is_available() and 0 <= number < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available() and number == 0,
    }
    if not present.get(device.type, False):
        raise ExplorerError(f"device {name!r} is not present on this machine: use --device auto or cpu")
    if processes() > 1 and device.index is not None:
        raise ExplorerError(f"{processes()} processes can't share {name!r}: use --device cuda, or launch one process")
    return device


def describe_device(device: torch.device) -> str:
    """A device's name for a person: ``NVIDIA H100`` or ``CPU (x86_64, 2 threads)``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return f"Apple GPU ({platform.machine()})"
    threads = torch.get_num_threads()
    return f"CPU ({platform.machine()}, {threads} {'thread' if threads == 1 else 'threads'})"


def training_precision(device: torch.device) -> str:
    """Mixed precision for training where it pays, as `accelerate` calls it: "bf16" on CUDA, "no" elsewhere.

    Only training uses it. Scores and accuracies are always computed in float32, so that no
    decision depends on the device's precision.
    """
    return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "no"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device has no memory left: CUDA has a class for it, others only words."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY)


class BatchSize:
    """A batch size that halves when the device runs out of memory, and says so once each time."""

    def __init__(self, size: int, announce: Callable[[str], None] | None = None) -> None:
        self.size = size
        self._announce = announce or log.warning

    def retry(self, work: Callable[[int], T]) -> T:
        """``work(size)``, repeated from its beginning with half the size after an out-of-memory error.

        Raises:
            ResourceError: even a batch of one does not fit.
        """
        while True:
            try:
                return work(self.size)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if self.size == 1:
                    raise ResourceError(
                        "the device has too little memory for a batch of one: use a smaller input or --device cpu"
                    ) from error
            self.size = max(1, self.size // 2)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self._announce(f"out of memory: going on with batches of {self.size}")
