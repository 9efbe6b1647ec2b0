"""Networks that can't be cut in place while somebody trains them, each with what to do instead."""

import sys

import torch
from torch import nn

from explorer.errors import ExplorerError


def check_trainable_alone(module: nn.Module) -> None:
    """Sees to it that whoever trains the network notices when its parameters change shape.

    Raises:
        ExplorerError: it is wrapped, compiled, scripted, or shared out among processes, or gradients are shut off.
    """
    if torch.is_inference_mode_enabled():
        raise ExplorerError("what is made in inference_mode can't be trained: call the schedule outside of it")
    name = type(module).__name__
    if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
        raise ExplorerError(f"{name} copies or averages a network of one shape: give the problem the one inside, alone")
    if hasattr(module, "_orig_mod"):
        raise ExplorerError(
            "the problem has a compiled network: give it the one that you passed to torch.compile, and go on calling "
            "the compiled one, which is compiled anew after every cut"
        )
    if isinstance(module, torch.jit.ScriptModule):
        raise ExplorerError(f"{name} is compiled by TorchScript, whose code is fixed: give the network it was made of")
    for path, parameter in module.named_parameters():
        if type(parameter.data) is not torch.Tensor:
            raise ExplorerError(
                f"{path} is kept as {type(parameter.data).__name__}, which can't be narrowed in place: prune the "
                "network before it is quantised or shared out"
            )
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        raise ExplorerError(
            "several processes train the network, and their gradients are averaged in the shapes of the start: train "
            "in one process, or cut by `problem.cut` before the network is shared out"
        )


def forget_compiled() -> None:
    """Lets what torch.compile made of shapes before a cut be compiled anew, if anything was compiled."""
    if "torch._dynamo" in sys.modules:
        torch.compiler.reset()
