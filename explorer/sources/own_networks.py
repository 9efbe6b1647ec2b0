"""What a person's function gives, as a network with the engine's face: a module, one with an example, or a problem."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from explorer.errors import ExplorerError, one_line
from explorer.sources.loaded import in_words
from explorer.sources.own import OneTensor, Own, Ports, adapted
from explorer.sources.own_code import SCHEME as FAMILY
from explorer.sources.own_code import OwnCode, made_again
from explorer.tasks import DEFAULT_KIND, Task

KIND = "own"  # of tasks that a person's functions judge
_USUAL = (3, 224, 224)


@runtime_checkable
class OwnProblem(Protocol):
    """What `explorer.Problem` shows of itself."""

    @property
    def network(self) -> nn.Module: ...

    @property
    def packed(self) -> Tensor: ...

    @property
    def task(self) -> Task | None: ...


@dataclass(frozen=True, eq=False)
class OwnNetwork:
    """A person's network.

    Args:
        module: with the engine's face.
        example: one input of it, (1, …).
        task: her data; None: she gave none.
        kind: a key of `TASK_KINDS`.
        classes: how many numbers the network gives for an input.
    """

    module: nn.Module
    example: Tensor
    task: Task | None
    kind: str
    classes: int


def own_network(made: Any, name: str, shape: tuple[int, ...] | None = None) -> OwnNetwork:
    """The network that a function called `name` gave.

    Args:
        shape: of one input, where the function gives a module alone; else that of a usual picture is tried.

    Raises:
        ExplorerError: it gave something else, or the network does not run.
    """
    if isinstance(made, nn.Module | tuple):
        made = _copied(made, name)  # it may be one for all calls
    if isinstance(made, nn.Module):
        given = torch.zeros(1, *(shape or _USUAL))
        return _of(made.eval(), given, f"{name} gives a module alone, so its input has to be said: --input CxHxW, or "
                   "return (module, example)")  # fmt: skip
    if isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], nn.Module):
        module, example = made[0].eval(), made[1]
        if isinstance(example, Tensor) and example.dim():
            return _of(module, example[:1], "")
        ports = Ports.of(example)
        return _of(adapted(module, Own(ports)), ports.pack(tree_map(lambda leaf: leaf[:1], example)), "")
    if isinstance(made, OwnProblem):
        network, task = _copied(made.network, name).eval(), made.task
        outputs = _tried(network, made.packed, "")
        return OwnNetwork(network, made.packed, task, KIND if task is None else task.kind, outputs[0].numel())
    raise ExplorerError(
        f"{name} gives {type(made).__name__}: let it return a module, (module, example), or an explorer.Problem"
    )


def rebuilt(name: str, arguments: Mapping[str, Any]) -> OwnNetwork:
    """The network of a description ``{"family": "python", "name": function, "arguments": …}``, whole as it was made.

    Args:
        arguments: ``{"code": …, "options": …, "shape": …}``, see `described`.

    Raises:
        ExplorerError: its code may not run here, or fails.
        ValueError: the description is damaged.
    """
    code, options = OwnCode.from_json(arguments.get("code", {})), arguments.get("options", {})
    if not isinstance(options, dict):
        raise ValueError("options should be named")
    return own_network(made_again(code, name, options), name, tuple(arguments.get("shape", ())) or None)


def described(name: str, code: OwnCode, options: Mapping[str, Any], network: OwnNetwork) -> dict[str, Any]:
    """What `explorer.sources.build` makes the network from again."""
    arguments = {"code": code.to_json(), "options": dict(options), "shape": list(network.example.shape[1:])}
    return {"family": FAMILY, "name": name, "arguments": arguments}


def _copied(made: Any, name: str) -> Any:
    try:
        return copy.deepcopy(made)
    except Exception as error:  # of locks, open files, tensors within a graph
        raise ExplorerError(f"what {name} gives can't be copied, as cutting it takes: {one_line(error)}") from None


def _of(module: nn.Module, example: Tensor, help_: str) -> OwnNetwork:
    outputs = _tried(module, example, help_)
    if not isinstance(outputs, Tensor):
        return _of(adapted(module, Own(Ports.of(example))), example, help_)
    answers = outputs.dim() == 2 and example.dim() == 4 and not isinstance(module, OneTensor)
    return OwnNetwork(module, example, None, DEFAULT_KIND if answers else KIND, outputs[0].numel())


@torch.no_grad()
def _tried(module: Callable[..., Any], example: Tensor, help_: str) -> Any:
    """What the network gives for the example."""
    try:
        return module(example)
    except ExplorerError:
        raise
    except Exception as error:  # whatever a person's code runs into
        what = f"does not run on an input of {in_words(example.shape[1:])}"
        raise ExplorerError(help_ or f"the network {what}: {one_line(error)}") from error
