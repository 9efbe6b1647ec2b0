"""Networks refused while they are built, as soon as what they are made of would take too much memory."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.modules import module as registration

from explorer import memory
from explorer.errors import ExplorerError

_MOST_LAYERS = 100_000
_BYTES = 2 * 4  # of a weight: float32, as it is built and as its value is read


@contextmanager
def bounded(what: str) -> Iterator[None]:
    """Within it, this thread's networks fail to be built when they grow too large.

    A layer's tensors are looked at when it takes them, before their values are set, and with that before the system
    gives the room for them.

    Raises:
        ExplorerError: the tensors would take more than `memory.limit` allows, or there are too many layers.
    """
    thread, tensors, layers, taken = threading.get_ident(), {}, 0, 0

    def count(_: nn.Module, __: str, tensor: Tensor | None) -> None:
        nonlocal taken
        if tensor is not None and threading.get_ident() == thread and id(tensor) not in tensors:
            tensors[id(tensor)] = tensor  # ties are counted once; held, so that its id stays its own
            taken += _BYTES * tensor.numel()
            memory.require(taken, what, "choose a smaller network")

    def count_layer(*_: Any) -> None:
        nonlocal layers
        layers += threading.get_ident() == thread
        if layers > _MOST_LAYERS:
            raise ExplorerError(f"{what} has more than {_MOST_LAYERS:,} layers: choose a smaller network")

    with ExitStack() as stack:
        for register in (
            registration.register_module_parameter_registration_hook,
            registration.register_module_buffer_registration_hook,
        ):
            stack.callback(register(count).remove)
        stack.callback(registration.register_module_module_registration_hook(count_layer).remove)
        yield
