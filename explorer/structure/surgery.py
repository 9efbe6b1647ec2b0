"""Takes units out of a model: for a try (mask) and for good (cut)."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from explorer.structure.adapt import (
    FITTED,
    NARROWED,
    SKIPPED,
    Skip,
    adapt,
    depthwise_multiplier,
    free_attention,
    save_buffers,
    set_attributes,
    set_widths,
)
from explorer.structure.blocks import without
from explorer.structure.copies import copied
from explorer.structure.parts import part_of
from explorer.structure.products import names_by_identity
from explorer.structure.running import forget
from explorer.structure.stored_widths import follow_stored
from explorer.structure.types import InputAxis, Structure, inside, outermost

INSIDE = "inside"  # see `Norm`
Removal = Mapping[str, Sequence[int]]  # group → units to remove

# Plain attributes that repeat a width, by class: {class: {attribute: (tensor, axis, attribute to divide by)}}.
WIDTH_ATTRIBUTES = {
    "torchvision.models.vision_transformer.VisionTransformer": {"hidden_dim": ("class_token", 2, "")},
    "transformers.models.gpt2.modeling_gpt2.GPT2Attention": {
        "split_size": ("c_proj.weight", 0, ""),
        "num_heads": ("c_proj.weight", 0, "head_dim"),
    },
    "transformers.models.t5.modeling_t5.T5Attention": {
        "inner_dim": ("o.weight", 1, ""),
        "n_heads": ("o.weight", 1, "key_value_proj_dim"),
    },
}


@dataclass(frozen=True)
class _Leaving:
    """Which channels leave (boolean), along an axis of a tensor."""

    axis: int
    out: np.ndarray

    def kept(self, like: Tensor) -> Tensor:
        """The numbers of the others, where `like` is."""
        return torch.from_numpy(np.flatnonzero(~self.out)).to(like.device)


def leaving(structure: Structure, removal: Removal, roles: Sequence[str] = ()) -> dict[str, dict[int, np.ndarray]]:
    """For every tensor that loses entries: per axis, which of them leave (boolean)."""
    leaves: dict[str, dict[int, np.ndarray]] = {}
    for name, units in removal.items():
        lost = _lost(removal, structure, name)
        group = structure.groups[name]
        for member in (*group.members, *group.unsaved):
            if units and (not roles or member.role in roles):
                axes = leaves.setdefault(member.tensor, {})
                out = lost[member.units]
                axes[member.axis] = axes[member.axis] | out if member.axis in axes else out
    return leaves


def saved_by_cut(module: nn.Module, structure: Structure) -> dict[str, Tensor]:
    """The state dict, not detached, with the buffers that it leaves out although they have an entry per channel.

    A freshly built module has them at their whole width, so a cut model saves them.
    """
    narrowed = {id(module.get_buffer(m.tensor)) for group in structure.groups.values() for m in group.unsaved}
    buffers = module.named_buffers(remove_duplicate=False)
    return {**{name: b for name, b in buffers if id(b) in narrowed}, **module.state_dict(keep_vars=True)}


def cut_module(
    module: nn.Module, structure: Structure, removal: Removal, blocks: Sequence[str] = (), *, shared: bool = False
) -> tuple[nn.Module, dict[str, dict]]:
    """A new module without the removed units and residual blocks, and the plain attributes that had to change.

    Args:
        shared: let it share what is left whole with `module`, for a try.
    """
    skipped = _skipped(module, structure, blocks)
    structure, removal = _beside(structure, removal, blocks)
    owned = saved_by_cut(module, structure)
    narrow = _narrow_tensors(owned, structure, removal)
    kept = [*module.parameters(), *module.buffers()] if shared else []
    memo: dict[int, object] = {id(tensor): tensor for tensor in kept}
    memo |= {id(owned[name]): tensor for name, tensor in narrow.items()}
    memo |= {id(module.get_submodule(path)): skip for path, skip in skipped.items()}
    smaller = copied(module, memo)
    free_attention(smaller)
    save_buffers(smaller, owned)
    forget(smaller)
    for path in {_layer_of(name) for name in narrow if not inside(name, list(skipped))}:
        set_widths(smaller.get_submodule(path), depthwise_multiplier(module.get_submodule(path)))
    attributes: dict[str, dict] = {
        path: {SKIPPED: skip.returns}
        | ({"stride": skip.stride} if skip.stride > 1 else {})
        | ({"passed": skip.passed} if skip.passed else {})
        | ({"written": skip.written} if skip.written else {})
        for path, skip in skipped.items()
    }
    for name, units in removal.items():
        for path, counter in structure.groups[name].counters if units else ():
            left = getattr(module.get_submodule(path), counter) - len(set(units))
            attributes.setdefault(path, {})[counter] = left
        for path, *shape in structure.groups[name].fitted if units else ():
            known = attributes.setdefault(path, {})
            shapes = known.get(FITTED, getattr(module.get_submodule(path), FITTED, []))
            known[FITTED] = [list(each) for each in sorted({*map(tuple, shapes), tuple(shape)})]
    for path, inputs in _narrowed_inputs(module, structure, removal).items():
        attributes.setdefault(path, {})[NARROWED] = inputs
    for path, sides in _narrowed(structure, removal).items():
        for attribute, width in _bare_widths(module.get_submodule(path), sides).items():
            attributes.setdefault(path, {})[attribute] = width
    tensors = smaller.state_dict()
    follow_stored(attributes, module, smaller, structure, removal)
    _add_width_attributes(attributes, smaller, tensors)
    set_attributes(smaller, {path: values for path, values in attributes.items() if path not in skipped})
    return smaller, attributes


def _narrowed_inputs(module: nn.Module, structure: Structure, removal: Removal) -> dict[str, list[list]]:
    """By module, what it takes of the tensors that it is given: see `adapt.narrow`.

    Args:
        module: may have lost channels before, whose entries it is given all the same.
    """
    out: dict[InputAxis, np.ndarray] = {}
    for name, units in removal.items():
        lost = _lost(removal, structure, name)
        for axis, owners in ((given.axis, given.units) for given in structure.groups[name].given if units):
            out[axis] = out.get(axis, False) | lost[owners]
    narrowed: dict[str, list[list]] = {}
    for axis, leave in out.items():
        place = [axis.argument, axis.axis]
        known = narrowed.setdefault(axis.module, [*getattr(module.get_submodule(axis.module), NARROWED, ())])
        before = next((kept for *taken, kept in known if taken[:2] == place), range(len(leave)))
        others = [taken for taken in known if taken[:2] != place]
        narrowed[axis.module] = [*others, [*place, len(leave), [entry for entry in before if not leave[entry]]]]
    return narrowed


def _layer_of(tensor: str) -> str:
    """The layer that a tensor belongs to, also if its weight is computed from it."""
    return f".{tensor.rpartition('.')[0]}".partition(".parametrizations.")[0][1:]


def _narrow_tensors(owned: Mapping[str, Tensor], structure: Structure, removal: Removal) -> dict[str, Tensor]:
    """Every tensor that loses entries, or numbers channels of which some leave, as it is afterwards."""
    narrow: dict[str, Tensor] = {}
    aliases = names_by_identity(owned.items())
    for name, axes in leaving(structure, removal).items():
        if any(out.any() for out in axes.values()):
            kept = _without(owned[name].detach(), axes)
            like = owned[name]
            made = nn.Parameter(kept, requires_grad=like.requires_grad) if isinstance(like, nn.Parameter) else kept
            narrow.update(dict.fromkeys(aliases[id(like)], made))
    for name, out in _renumbered(structure, removal).items():
        numbers = narrow.get(name, owned[name])
        places = torch.from_numpy(np.cumsum(~out) - 1).to(numbers.device)
        narrow[name] = places[numbers].to(numbers.dtype)
    return narrow


def _bare_widths(layer: nn.Module, sides: Mapping[str, _Leaving]) -> dict[str, object]:
    """The attributes that hold the width of a normalising module without weights."""
    width = int((~sides["both"].out).sum()) if "both" in sides else 0
    if isinstance(layer, nn.LayerNorm | nn.RMSNorm) and layer.weight is None:
        return {"normalized_shape": [width]}
    if isinstance(layer, nn.GroupNorm) and layer.weight is None:
        return {"num_channels": width}
    return {}


def _add_width_attributes(changed: dict[str, dict], module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    for name, layer in module.named_modules():
        for attribute, (tensor, axis, divisor) in WIDTH_ATTRIBUTES.get(_class_name(layer), {}).items():
            width = tensors[f"{name}.{tensor}" if name else tensor].shape[axis]
            if divisor:
                width //= changed.get(name, {}).get(divisor, getattr(layer, divisor))
            if width != getattr(layer, attribute):
                changed.setdefault(name, {})[attribute] = width


def _class_name(layer: nn.Module) -> str:
    return f"{type(layer).__module__}.{type(layer).__qualname__}"


def mask_module(module: nn.Module, structure: Structure, removal: Removal, blocks: Sequence[str] = ()) -> nn.Module:
    """A masked copy, which computes what the cut model computes; all untouched tensors are shared with `module`.

    A removed channel is zero where it is consumed, which is the same as zero weights there, so nothing is
    hooked and nothing is written into `module`; normalising modules see only the channels that stay. The copy has no
    residual blocks that are removed.
    """
    skipped = _skipped(module, structure, blocks)
    structure, removal = _beside(structure, removal, blocks)
    removed = leaving(structure, removal)
    inner = {name for name in removal if structure.groups[name].contracted}  # no weights consume queries
    zeroed = leaving(structure, removal, roles=("consumer",))
    for name, axes in leaving(structure, {n: removal[n] for n in inner}, roles=("producer", "affine")).items():
        for axis, out in axes.items():
            known = zeroed.setdefault(name, {})
            known[axis] = known[axis] | out if axis in known else out
    shared: dict[int, object] = {id(module.get_submodule(path)): skip for path, skip in skipped.items()}
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        shared[id(tensor)] = tensor
        if name in zeroed:
            replaced = tensor.detach().clone()
            for axis, out in zeroed[name].items():
                index = torch.from_numpy(np.flatnonzero(out)).to(tensor.device)
                replaced.index_fill_(axis, index, 0.0)
            shared[id(tensor)] = nn.Parameter(replaced, requires_grad=tensor.requires_grad)
    masked = copied(module, shared)
    forget(masked)
    attributes: dict[str, dict] = {}
    follow_stored(attributes, module, module, structure, removal)
    for path, sides in _narrowed(structure, removal).items():
        layer = masked.get_submodule(path)
        prefix = f"{path}." if path else ""
        narrowed = {k: removed[prefix + k] for k in layer.state_dict() if prefix + k in removed}
        if INSIDE in sides:
            narrow = _cut_part(layer, path, structure, removal)
        else:
            narrow = _cut_layer(layer, sides, narrowed, attributes.get(path, {}))
        _see_kept(layer, narrow, sides, narrowed)
        _call_norms(masked, path)
    return masked


def _call_norms(module: nn.Module, path: str) -> None:
    """Keep PyTorch's encoder layers from their fused path, which reads a norm's weights instead of calling it."""
    while path:
        path = path.rpartition(".")[0]
        layer = module.get_submodule(path)
        if isinstance(layer, nn.TransformerEncoderLayer):
            layer.activation_relu_or_gelu = 0
        elif isinstance(layer, nn.TransformerEncoder):
            layer.use_nested_tensor = False


def _skipped(module: nn.Module, structure: Structure, blocks: Sequence[str]) -> dict[str, Skip]:
    """What stands where the residual blocks were that are taken out."""
    skipped = {}
    for block in (structure.blocks[name] for name in outermost(blocks)):
        skip = Skip(module.get_submodule(block.name), block.returns)
        skip.stride, skip.passed = block.stride, [*block.passed] if any(key is not None for key in block.passed) else []
        skip.written = list(block.written)
        skipped[block.name] = skip
    return skipped


def _beside(structure: Structure, removal: Removal, blocks: Sequence[str]) -> tuple[Structure, Removal]:
    """The structure without the blocks, and the units that leave it."""
    left = without(structure, blocks)
    return left, {name: units for name, units in removal.items() if name in left.groups}


def _lost(removal: Removal, structure: Structure, name: str) -> np.ndarray:
    """Which units of a group leave, with one entry more, False, that answers for -1."""
    lost = np.zeros(structure.groups[name].units + 1, dtype=bool)
    lost[list(removal[name])] = True
    lost[-1] = False
    return lost


def _renumbered(structure: Structure, removal: Removal) -> dict[str, np.ndarray]:
    """Buffers that number channels of which some leave: which (boolean)."""
    renumbered: dict[str, np.ndarray] = {}
    for name, units in removal.items():
        lost = _lost(removal, structure, name)
        for lookup in structure.groups[name].lookups if units else ():
            renumbered[lookup.tensor] = renumbered.get(lookup.tensor, False) | lost[lookup.units]
    return renumbered


def _narrowed(structure: Structure, removal: Removal) -> dict[str, dict[str, _Leaving]]:
    """Of modules that take statistics: the channels that leave, by the side on which they are; see `Norm`.

    Parts of a module whose experts leave are not among them, since they narrow with it.
    """
    narrowed: dict[str, dict[str, _Leaving]] = {}
    mixtures: set[str] = set()
    for name, units in removal.items():
        lost = _lost(removal, structure, name)
        for norm in structure.groups[name].norms if units else ():
            out = lost[norm.units]
            mixtures |= {norm.module} if norm.mixture else set()
            if out.any():
                sides = narrowed.setdefault(norm.module, {})
                known = sides.get(norm.side)
                sides[norm.side] = _Leaving(norm.axis, out if known is None else known.out | out)
    left = [path for path, sides in narrowed.items() if path not in mixtures or INSIDE in sides]
    whole = [path for path in left if INSIDE in narrowed[path]]
    return {path: narrowed[path] for path in left if not any(_is_part(path, other) for other in whole)}


def _is_part(path: str, module: str) -> bool:
    return path != module and (not module or inside(path, [module]))


def _cut_layer(
    layer: nn.Module, sides: Mapping[str, _Leaving], narrowed: Mapping[str, dict], attributes: dict[str, object]
) -> nn.Module:
    """An innermost layer with the widths that stay."""
    narrow = copy.deepcopy(layer, {id(tensor): tensor for tensor in [*layer.parameters(), *layer.buffers()]})
    adapt(narrow, {k: _without(t, narrowed.get(k, {})) for k, t in layer.state_dict().items()})
    set_attributes(narrow, {"": {**attributes, **_bare_widths(layer, sides)}})
    return narrow


def _cut_part(layer: nn.Module, path: str, structure: Structure, removal: Removal) -> nn.Module:
    """A module with parts, without the units that leave."""
    part = part_of(structure, path)
    return cut_module(layer, part, {name: removal[name] for name in part.groups if name in removal}, shared=True)[0]


def _see_kept(layer: nn.Module, narrow: nn.Module, sides: Mapping[str, _Leaving], narrowed: Mapping[str, dict]) -> None:
    """Let a module see only the channels that stay, by way of its narrow copy; the others come out as zero."""
    read, made = (sides.get("both", sides.get(side)) for side in ("input", "output"))

    def spread(seen: Tensor) -> Tensor:
        if made is None:
            return seen
        shape = [len(made.out) if d == made.axis else size for d, size in enumerate(seen.shape)]
        return seen.new_zeros(shape).index_copy_(made.axis, made.kept(seen), seen)

    def forward(x: Tensor) -> Any:
        own = {k: _without(t, narrowed[k]) for k, t in layer.named_parameters() if k in narrowed}
        seen = x if read is None else x.index_select(read.axis, read.kept(x))
        seen = functional_call(narrow, own, (seen,))  # gradients reach the layer's own
        return (spread(seen[0]), *seen[1:]) if isinstance(seen, tuple) else spread(seen)

    layer.forward = forward


def _without(tensor: Tensor, axes: dict[int, np.ndarray]) -> Tensor:
    """A tensor without the entries that leave."""
    for axis, out in axes.items():
        tensor = tensor.index_select(axis, torch.from_numpy(np.flatnonzero(~out)).to(tensor.device))
    return tensor
