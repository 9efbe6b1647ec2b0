"""The pieces of a training run: objective, optimiser, schedule, augmentation, seeds."""

import random
import statistics
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import cos, pi
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.device import training_precision
from explorer.distributed import placed
from explorer.errors import ExplorerError
from explorer.tasks import model_loss

if TYPE_CHECKING:
    from accelerate import Accelerator


class Objective:
    """What a training makes small: the task's own loss, and the base of other objectives."""

    @contextmanager
    def ready(self, module: nn.Module, inputs: Tensor, device: torch.device) -> Iterator[list[nn.Parameter]]:
        """Within it the objective can be called; gives what it learns itself, beside the module.

        `inputs` is a batch of training data to look at; module and objective are on `device` until the end.
        """
        yield []

    def __call__(self, module: nn.Module, inputs: Tensor, labels: Any) -> Tensor:
        """The mean loss of a batch on the device, differentiable."""
        return model_loss(module, inputs, labels)


class Regime:
    """How a training goes: its optimiser, its rates, and which epoch stays. The usual one, and the base of others."""

    recalibrates = True  # batch norms, before the first epoch
    chooses = True  # the best epoch; else the last stays, whatever its metric

    def optimizer(self, module: nn.Module, rate: float, further: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return make_optimizer(module, rate, further)

    def train(self, module: nn.Module) -> None:
        """Puts the module into the mode in which it learns, before every epoch."""
        module.train()

    def share(self, step: int, steps: int) -> float:
        """Of the peak learning rate, at a step of the training's `steps`."""
        return schedule(step, steps)


class Learner(nn.Module):
    """Objective and network as one module: all that is learnt is cast and averaged over processes alike.

    What `accelerate` does to a module it does to this one, and the network stays as it was.
    """

    def __init__(self, module: nn.Module, objective: Objective, further: Iterable[nn.Parameter]) -> None:
        super().__init__()
        self.module, self.further = module, nn.ParameterList(further)
        self._objective = objective

    def forward(self, inputs: Tensor, labels: Any) -> Tensor:
        return self._objective(self.module, inputs, labels)


@contextmanager
def accelerated(device: torch.device) -> Iterator["Accelerator"]:
    """An accelerator for this device in the precision of training, which leaves nothing behind.

    Raises:
        ExplorerError: the processes were launched to share out the network itself.
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs, DistributedType
    from accelerate.utils import GradientAccumulationPlugin

    # Heads that a loss leaves out have no gradients; running statistics are averaged once an epoch.
    copies = DistributedDataParallelKwargs(find_unused_parameters=True, broadcast_buffers=False)
    with placed(device):
        accelerator = Accelerator(
            mixed_precision=training_precision(device),
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),  # not the environment's
            kwargs_handlers=[copies],
        )
        kind = accelerator.distributed_type
        if kind not in (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU):
            raise ExplorerError(f"training can't share out a network by {kind.value}: launch plain processes")
        yield accelerator


@contextmanager
def synchronised(module: nn.Module, accelerator: "Accelerator") -> Iterator[None]:
    """Within it batch norms take their statistics over the batches of all processes; on CUDA alone it can be done."""
    if accelerator.num_processes == 1 or accelerator.device.type != "cuda":
        yield
        return
    norms = {name: part for name, part in module.named_modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)}
    for name, norm in norms.items():
        module.set_submodule(name, nn.SyncBatchNorm.convert_sync_batchnorm(norm))
    try:
        yield
    finally:
        for name, norm in norms.items():
            module.set_submodule(name, norm)


def is_transformer(module: nn.Module) -> bool:
    """Whether layer norms outnumber batch norms, which decides how the network likes to be trained."""
    layer_norms = sum(isinstance(part, nn.LayerNorm) for part in module.modules())
    return layer_norms > sum(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules())


def default_learning_rate(module: nn.Module) -> float:
    """The peak rate: 0.02 for SGD, 0.1 over the width of the stream for transformers under AdamW.

    The inverse width keeps the size of updates alike from small to large ones (Yang et al. 2022, arXiv:2203.03466):
    0.001 at width 96, 0.00013 at 768.
    """
    if not is_transformer(module):
        return 0.02
    widths = [layer.normalized_shape[-1] for layer in module.modules() if isinstance(layer, nn.LayerNorm)]
    return 0.1 / statistics.median_high(widths)


def layout(device: torch.device) -> torch.memory_format:
    """Channels last where convolutions are fastest in it, on CUDA.

    On processors it would be faster too, but there the backward pass of convolutions with widths that are no
    multiple of eight, as cuts leave them, corrupts memory with several threads (seen with torch 2.15).
    """
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


def make_optimizer(
    module: nn.Module, learning_rate: float, further: Iterable[nn.Parameter] = ()
) -> torch.optim.Optimizer:
    """AdamW for transformers, SGD with Nesterov momentum for the rest; no decay of biases and normalisation.

    `further` parameters, of an objective, are learnt along.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad] + list(further)
    groups = [
        {"params": [p for p in parameters if p.ndim > 1]},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if is_transformer(module):
        return torch.optim.AdamW(groups, lr=learning_rate, weight_decay=0.05)
    return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9, nesterov=True, weight_decay=5e-4)


def remembered(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimiser remembers, by place of the parameter and name, as tensors of their own on the CPU."""
    return {
        f"{number}/{name}": value.detach().cpu().contiguous().clone()
        for number, entries in optimizer.state_dict()["state"].items()
        for name, value in entries.items()
        if value is not None
    }


def reminded(optimizer: torch.optim.Optimizer, memory: Mapping[str, Tensor]) -> None:
    """Gives a new optimiser of the same parameters what another one has `remembered`."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in memory.items():
        number, _, name = key.partition("/")
        state.setdefault(int(number), {})[name] = tensor.clone()  # optimisers write into it
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})


def schedule(step: int, steps: int, warmup: float = 0.1) -> float:
    """The share of the peak learning rate at `step`: a linear warm-up, then half a cosine down to nearly 0."""
    rise = max(1, round(warmup * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + cos(pi * (step - rise) / max(1, steps - rise)))


@contextmanager
def seeded(seed: int, device: torch.device, process: int = 0) -> Iterator[torch.Generator]:
    """All random numbers inside follow from `seed`; those outside go on as if nothing had been drawn.

    The generator's are the same in all processes, the others (of dropout, for example) differ.
    """
    numpy_state, python_state = np.random.get_state(), random.getstate()
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed + process)
        np.random.seed((seed + process) % 2**32)
        random.seed(seed + process)
        try:
            yield torch.Generator().manual_seed(seed)
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)
