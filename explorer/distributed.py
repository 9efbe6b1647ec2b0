"""Several processes that do one run together, as ``torchrun`` and ``accelerate launch`` start them.

All of them carry the run out and share out the batches of every training; what is decided, measured and written is
the main process's, and the others take it over. Nothing here does anything where there is one process.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from explorer.errors import ExplorerError

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
_BEGIN, _END = "begin", "end"  # what the main process says to those that assist
_PATIENCE = timedelta(days=7)  # for the others while one measures; that one has died is the launcher's to notice


def processes() -> int:
    """How many processes were launched together."""
    return int(os.environ.get("WORLD_SIZE", 1)) if "LOCAL_RANK" in os.environ else 1


def is_main() -> bool:
    """Whether this process speaks, writes and decides for all."""
    return processes() == 1 or os.environ.get("RANK") == "0"


@contextmanager
def joined(device: "torch.device") -> Iterator[None]:
    """Within it the processes that were launched together can exchange values; without others it does nothing.

    There the main process does the work, and the others `assist`.
    """
    if processes() == 1:
        yield
        return
    from torch import distributed

    with placed(device):
        yield
        if is_main():
            broadcast(_END)
    distributed.destroy_process_group()  # after a failure the process ends, and with it the group


@contextmanager
def placed(device: "torch.device") -> Iterator[None]:
    """Within it `accelerate` computes on exactly this device, in the group of the launched processes.

    Its states are singletons, which would decide over the device and precision of every later training: they are put
    back as they were.

    Raises:
        ExplorerError: devices of this kind can't work together.
    """
    from accelerate.state import AcceleratorState, GradientState, PartialState

    states = [kind._shared_state for kind in (PartialState, AcceleratorState, GradientState)]
    before = [dict(state) for state in states]
    try:
        for state in states:
            state.clear()
        found = PartialState(cpu=device.type == "cpu", timeout=_PATIENCE)
        if found.num_processes != processes():
            raise ExplorerError(
                f"{processes()} processes can't work together on {device}: use --device cpu, or launch one process"
            )
        found.device = device
        yield
    finally:
        for state, values in zip(states, before, strict=True):
            state.clear()
            state.update(values)


def broadcast(value: T) -> T:
    """The main process's value, in all processes; within `joined` or `placed`."""
    if processes() == 1:
        return value
    from torch import distributed

    values: list[Any] = [value]
    distributed.broadcast_object_list(values, src=0)
    return values[0]


def by_main(make: Callable[[], T]) -> T:
    """What `make` gives in the main process, which alone calls it."""
    return broadcast(make() if is_main() else None)


def assist(work: Callable[[], Any]) -> None:
    """Does the work along with the main process, each time that one begins it by `shared`, until it is done."""
    while broadcast(_END) == _BEGIN:
        work()


def shared(memo: Callable[[str, Callable[[], T]], T]) -> Callable[[str, Callable[[], T]], T]:
    """A memo that is the main process's: all processes do a step that it does not remember, and take over its record.

    So files are written once, and whatever the devices round differently can't lead processes to different cuts.
    Asking for one calls those that `assist`.
    """
    if processes() == 1:
        return memo
    if is_main():
        broadcast(_BEGIN)

    def together(name: str, make: Callable[[], T]) -> T:
        if not is_main():
            if broadcast(None) == name:
                make()
            return broadcast(None)
        asked = []

        def announced() -> T:
            asked.append(broadcast(name))
            return make()

        record = memo(name, announced)
        if not asked:
            broadcast("")
        return broadcast(record)

    return together
