"""Does a plan for good in the module itself, whose parts and parameters stay the objects that others hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from explorer.errors import ExplorerError, one_line
from explorer.pruning.plan import Plan
from explorer.structure import Structure, adapt, cut_module, leaving
from explorer.structure.products import names_by_identity
from explorer.structure.running import forget

Kept = Mapping[int, np.ndarray]
"""Of every axis that loses entries, the places that stay."""


@dataclass(frozen=True, eq=False)
class NarrowedTensor:
    """A parameter or buffer that lost entries.

    Args:
        names: under which the module has it; tied ones have several.
        tensor: the object, the same before and after.
        shape: that it had.
        kept: what stays of it.
    """

    names: tuple[str, ...]
    tensor: Tensor = field(repr=False)
    shape: torch.Size
    kept: Kept = field(repr=False)


@dataclass(frozen=True)
class Narrowed:
    """What a cut in place changed: plain attributes, as those of `CutModel`, and tensors."""

    attributes: dict[str, dict]
    tensors: tuple[NarrowedTensor, ...]


def narrow(module: nn.Module, structure: Structure, plan: Plan) -> Narrowed:
    """Makes `module` what `cut` would return, in place.

    Modules, parameters and buffers stay the same objects, so that optimisers, lists of parameters and hooks which hold
    them hold what is trained further; of gradients what belongs to the entries that stay is kept. What an optimiser
    remembers has other shapes from then on: see `explorer.loops.optimisers`. No graph of an earlier pass may be gone
    back through afterwards, and masked copies made before, which share tensors with the module, are of no more use.

    Args:
        module: in any mode, on any device.
        structure: of the module as it is.
        plan: in units of that structure.

    Raises:
        ExplorerError: the plan does not fit, or the module holds something that can't be copied.
    """
    plan.check(structure)
    tensors = _narrowed(module, structure, plan)
    _drop_computed(module)
    try:
        smaller, attributes = cut_module(module, structure, plan.remove, plan.blocks, shared=True)
    except (RuntimeError, TypeError) as error:  # of copy.deepcopy
        raise ExplorerError(
            f"{type(module).__name__} can't be cut while it holds what can't be copied ({one_line(error)}): keep no "
            "activations of a pass in its attributes, or detach them"
        ) from None
    held = [
        (place, key, tensor)
        for layer in module.modules()
        for place in (layer._parameters, layer._buffers)
        for key, tensor in place.items()
    ]
    adapt(module, smaller.state_dict(), attributes)
    _put_back(held, {id(each.tensor): each.kept for each in tensors})
    for layer in module.modules():
        if isinstance(layer, nn.RNNBase):
            layer._init_flat_weights()  # it keeps its parameters in a list, too
    forget(module)
    return Narrowed(attributes, tuple(tensors))


def entries_that_stay(tensor: Tensor, kept: Kept) -> Tensor:
    """A copy of a tensor without what leaves, laid out in memory as it was."""
    left = tensor
    for axis, places in kept.items():
        left = left.index_select(axis, torch.from_numpy(places).to(tensor.device))
    return _laid_out(left, tensor)


def _drop_computed(module: nn.Module) -> None:
    """Lets weights that old-style weight and spectral norm compute in every call be copied, without their graphs."""
    for layer in module.modules():
        for name, value in vars(layer).items():
            computed = {f"{name}_v", f"{name}_orig"} & layer._parameters.keys()
            if computed and isinstance(value, Tensor) and not value.is_leaf:
                layer.__dict__[name] = value.detach()


def _narrowed(module: nn.Module, structure: Structure, plan: Plan) -> list[NarrowedTensor]:
    """What will lose entries, tied tensors once."""
    tensors = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    owned, aliases = dict(tensors), names_by_identity(tensors)
    found: dict[int, NarrowedTensor] = {}
    for name, axes in leaving(structure, plan.remove).items():
        kept = {axis: np.flatnonzero(~out) for axis, out in axes.items() if out.any()}
        if kept:
            tensor = owned[name]
            found[id(tensor)] = NarrowedTensor(tuple(aliases[id(tensor)]), tensor, tensor.shape, kept)
    return list(found.values())


def _put_back(held: list[tuple[dict, str, Tensor | None]], kept: Mapping[int, Kept]) -> None:
    """Let the objects that the module had take over the values of those that `adapt` put in their places."""
    done: set[int] = set()
    for place, key, before in held:
        after = place.get(key)
        if before is None or after is None or after is before:
            continue
        if id(before) not in done:
            _take_over(before, after, kept.get(id(before), {}))
            done.add(id(before))
        place[key] = before


def _take_over(before: Tensor, after: Tensor, kept: Kept) -> None:
    gradient = None if before.grad is None else entries_that_stay(before.grad, kept)
    before.grad = None
    values = _laid_out(after.detach(), before)
    # Autograd keeps the node that collects a parameter's gradient while a graph of an earlier pass is alive, such as
    # that of the last loss, and the node knows the shape. It is made anew when the type changes, which it does twice.
    other = torch.float32 if before.dtype == torch.float64 else torch.float64
    before.data = values.new_empty(0, dtype=other)
    before.data = values
    before.grad = gradient


def _laid_out(tensor: Tensor, like: Tensor) -> Tensor:
    """The tensor with channels last where the other one has them so."""
    for layout, axes in ((torch.channels_last, 4), (torch.channels_last_3d, 5)):
        if like.dim() == axes and like.is_contiguous(memory_format=layout) and not like.is_contiguous():
            return tensor.contiguous(memory_format=layout)
    return tensor.contiguous()
