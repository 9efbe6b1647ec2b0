"""Gives a freshly built network the widths found in a set of tensors, and the tensors themselves.

One function serves the cut, saved models and the script beside every exported model, which contains this
file as it stands: it must import nothing but torch.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from functools import cache
from itertools import accumulate
from math import prod
from operator import mul
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.overrides import TorchFunctionMode

SKIPPED = "skipped"  # the attribute of a residual block that was taken out: how many values it returned
FITTED = "fitted_shapes"  # of a module whose code takes shapes from another width than that which it reshapes
PAIRS = -1  # in place of an axis of such a shape
NARROWED = "narrowed_inputs"  # of a module that is given more than it has channels for

_WIDTHS = (
    *("in_channels", "out_channels", "groups", "in_features", "out_features", "nx", "nf", "num_embeddings"),
    *("embedding_dim", "normalized_shape", "num_groups", "num_channels", "num_parameters", "num_features"),
    *("embed_dim", "kdim", "vdim", "num_heads"),
    *("input_size", "hidden_size", "proj_size"),
)


class Skip(nn.Module):
    """Stands where a residual block was and passes its first input on: the first one by place, or else by name.

    Where the block made maps smaller, every `stride`-th row and column goes on. Plain attributes of the block and of
    its parts are kept, since the code around it may read them. A cache of an earlier text counts its places here, too.

    Args:
        block: what was there.
        returns: how many values it returned in a tuple, of which the first is what became of its input; 0: no tuple.
    """

    def __init__(self, block: nn.Module, returns: int = 0) -> None:
        super().__init__()
        _remember(self, block)
        self.returns, self.stride = returns, 1
        self.passed: list[int | str | None] = []  # arguments that are the tuple's other values; None: that is none

    @property
    def written(self) -> list[str]:
        """Tensors of the block that code around it writes into, as when it scales all layers: here they are empty."""
        return [
            f"{path}.{key}".lstrip(".")
            for path, part in self.named_modules()
            for key in vars(part)
            if _empty(part, key)
        ]

    @written.setter
    def written(self, names: Sequence[str]) -> None:
        for name in names:
            path, _, key = name.rpartition(".")
            setattr(self.get_submodule(path), key, torch.empty(0))

    def forward(self, *args: object, **kwargs: object) -> object:
        x = next(value for value in (*args, *kwargs.values()) if isinstance(value, Tensor))
        for value in (*args[1:], *kwargs.values()):
            self._count(getattr(value, "self_attention_cache", value), x)
        if self.stride > 1:
            x = x[..., :: self.stride, :: self.stride]
        if not self.returns:
            return x
        given: dict[Any, object] = {**dict(enumerate(args)), **kwargs}
        others = (None if key is None else given.get(key) for key in self.passed or [None] * (self.returns - 1))
        return (x, *others)

    def _count(self, cache: Any, x: Tensor) -> None:
        """Let a cache as transformers has them know of the places, since it may take their number from this layer."""
        index: Any = next((part.layer_idx for part in self.modules() if hasattr(part, "layer_idx")), None)
        layers: Any = getattr(cache, "layers", None)
        known = isinstance(index, int) and isinstance(layers, list) and hasattr(cache, "update")
        if not known or x.dim() != 3:
            return
        places = x[:, None, :, :1]
        if index >= len(layers) or hasattr(layers[index], "update"):
            cache.update(places, places, index)
        elif hasattr(cache, "update_conv_state"):
            cache.update_conv_state(places[:, 0].mT, index)


def _empty(part: nn.Module, key: str) -> bool:
    value = vars(part)[key]
    return isinstance(value, Tensor) and not value.numel()


def _remember(shell: nn.Module, block: nn.Module) -> None:
    """Give an empty module the plain attributes of another, and empty parts like its parts."""
    plain = int | float | str | bool | None
    for name, value in block.__dict__.items():
        if all(isinstance(entry, plain) for entry in (value if isinstance(value, tuple) else (value,))):
            shell.__dict__[name] = value
    for name, part in block.named_children():
        shell.add_module(name, nn.Module())
        _remember(shell.get_submodule(name), part)


def adapt(module: nn.Module, tensors: dict[str, Tensor], attributes: dict[str, dict] | None = None) -> None:
    """Make `module` the network that `tensors` belong to, in place.

    Args:
        module: the architecture at any widths.
        tensors: a complete state dict of the same architecture at other widths; buffers in it that the module does not
            save are saved from then on.
        attributes: plain attributes that no tensor's shape tells, ``{module name: {attribute: value}}``; that of an
            object which a module holds is ``name.attribute``, and lists stand for tuples, too. A residual block with
            ``{"skipped": returns}`` is replaced by a `Skip`, whose `stride`, `passed` and `written` may follow; in a
            module with ``{"fitted_shapes": [[axes, axis], …]}`` shapes follow, see `Fitting`; one with
            ``{"narrowed_inputs": [[argument, axis, entries, kept], …]}`` takes part of what it is given, see `narrow`.

    Raises:
        RuntimeError: a tensor is missing, or belongs to no part of the module.
    """
    for name, values in (attributes or {}).items():
        if SKIPPED in values:
            module.set_submodule(name, Skip(module.get_submodule(name), values[SKIPPED]))
    replaced: dict[int, nn.Parameter] = {}
    before: dict[nn.Module, int] = {}
    for prefix, layer in module.named_modules():
        path = f"{prefix}." if prefix else ""
        before[layer] = depthwise_multiplier(layer)
        for key, parameter in layer._parameters.items():
            tensor = tensors.get(path + key)
            if parameter is None or tensor is None or tensor.shape == parameter.shape:
                continue
            if id(parameter) not in replaced:
                empty = parameter.new_empty(tensor.shape)
                replaced[id(parameter)] = nn.Parameter(empty, requires_grad=parameter.requires_grad)
            layer._parameters[key] = replaced[id(parameter)]
        for key, buffer in layer._buffers.items():
            tensor = tensors.get(path + key)
            if buffer is not None and tensor is not None and tensor.shape != buffer.shape:
                layer._buffers[key] = buffer.new_empty(tensor.shape)
    for layer, multiplier in before.items():  # when all tensors are there, since some are computed from others
        set_widths(layer, multiplier)
    free_attention(module)
    save_buffers(module, tensors)
    set_attributes(module, attributes or {})
    state = OrderedDict(tensors)
    # Some architectures ask for their version here; torch keeps it as an attribute of a dictionary.
    state._metadata = module.state_dict(keep_vars=True)._metadata  # type: ignore[attr-defined]
    module.load_state_dict(state)


def save_buffers(module: nn.Module, names: Collection[str]) -> None:
    """Let the module's state dict have all buffers of these names."""
    for path, layer in module.named_modules():
        layer._non_persistent_buffers_set -= {key for key in layer._buffers if f"{path}.{key}".lstrip(".") in names}


def set_attributes(module: nn.Module, attributes: dict[str, dict]) -> None:
    """Set plain attributes, but for those of residual blocks that were taken out; see `adapt`."""
    for path, values in attributes.items():
        layer = module.get_submodule(path)
        if (values.get(FITTED) or values.get(NARROWED)) and not isinstance(layer, _Following):
            known: Any = type(layer)
            layer.__class__ = _following(known)
        for name, value in values.items():
            held, _, inner = name.rpartition(".")
            if held:  # what other modules may hold, too, is replaced by a copy
                setattr(layer, held, copy.copy(getattr(layer, held)))
            owner, key = (getattr(layer, held), inner) if held else (layer, name)
            if name != SKIPPED:
                setattr(owner, key, tuple(value) if isinstance(getattr(owner, key, None), tuple) else value)


def free_attention(module: nn.Module) -> None:
    """Let attentions of torch, which have one width for all, compute with the widths that their tensors have."""
    for layer in module.modules():
        if type(layer) is nn.MultiheadAttention and any(size != layer.embed_dim for size in _sizes(layer)):
            _free(layer)
    _unnest(module)


def follow_attention(module: nn.Module, other: nn.Module) -> None:
    """Let attentions of torch compute product by product where their counterparts in a cut network do.

    Args:
        module: the whole network; it is written to, and computes what it did.
        other: the cut one.
    """
    freed = {path for path, layer in other.named_modules() if isinstance(layer, FreeAttention)}
    for path, layer in module.named_modules():
        if path in freed and type(layer) is nn.MultiheadAttention:
            _free(layer)
    _unnest(module)


def _free(layer: nn.MultiheadAttention) -> None:
    layer.__class__ = FreeAttention
    layer.scale = layer.head_dim**-0.5  # also of heads that lose places
    layer._qkv_same_embed_dim = False  # else fused operators, which want one width, take its place


def _unnest(module: nn.Module) -> None:
    """Nested tensors are for fused attention only."""
    for layer in module.modules():
        if isinstance(layer, nn.TransformerEncoder) and any(isinstance(m, FreeAttention) for m in layer.modules()):
            layer.use_nested_tensor = False


def _sizes(layer: nn.MultiheadAttention) -> tuple[int, ...]:
    """Queries' channels, and the widths of inputs and outputs of its products."""
    if layer.in_proj_weight is None:
        return (*layer.q_proj_weight.shape, *layer.out_proj.weight.shape)
    rows, width = layer.in_proj_weight.shape
    return (rows // 3, width, *layer.out_proj.weight.shape)


class FreeAttention(nn.MultiheadAttention):
    """`nn.MultiheadAttention` whose heads have together another width than its inputs and outputs.

    Fixed is the width of a head, `head_dim`, and the scale; the weights say how many heads there are.
    """

    scale: float

    @property
    def embed_dim(self) -> int:
        """The width of its outputs."""
        return self.out_proj.weight.shape[0]

    @property
    def num_heads(self) -> int:
        """Whole heads in the queries' rows."""
        return _sizes(self)[0] // self.head_dim

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """What `nn.MultiheadAttention` returns; see there. That a mask is causal is only a hint."""
        batched = query.dim() == 3
        q, k, v = (self._batch_first(x, batched) for x in (query, key, value))
        packed = self.in_proj_weight is not None
        own = self.in_proj_weight.chunk(3) if packed else (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        biases = (None,) * 3 if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        q, k, v = (F.linear(x, w, b) for x, w, b in zip((q, k, v), own, biases, strict=True))
        if self.bias_k is not None and self.bias_v is not None:
            k, v = (torch.cat([x, bias.expand(len(x), -1, -1)], 1) for x, bias in ((k, self.bias_k), (v, self.bias_v)))
        q, k, v = (x.unflatten(-1, (-1, self.head_dim)).transpose(1, 2) for x in (q, k, v))
        if self.add_zero_attn:
            k, v = F.pad(k, (0, 0, 0, 1)), F.pad(v, (0, 0, 0, 1))
        mask = self._mask(q, k, attn_mask, key_padding_mask)
        dropout = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            scores = q * self.scale @ k.mT
            weights = F.dropout((scores if mask is None else scores + mask).softmax(-1), dropout)
            y = weights @ v
            weights = weights.mean(1) if average_attn_weights else weights
        else:
            y = F.scaled_dot_product_attention(q, k, v, mask, dropout, scale=self.scale)
        y = self.out_proj(y.transpose(1, 2).flatten(2))
        if not batched:
            return y[0], None if weights is None else weights[0]
        return y if self.batch_first else y.transpose(0, 1), weights

    def _batch_first(self, x: Tensor, batched: bool) -> Tensor:
        if not batched:
            return x[None]
        return x if self.batch_first else x.transpose(0, 1)

    def _mask(self, q: Tensor, k: Tensor, mask: Tensor | None, padding: Tensor | None) -> Tensor | None:
        """Both masks as what is added to the scores (batch, heads, queries, keys); keys beyond them are seen."""
        masks = []
        if mask is not None:
            masks.append(mask if mask.dim() == 2 else mask.unflatten(0, (len(q), -1)))
        if padding is not None:
            masks.append(padding.view(len(q), 1, 1, -1))
        masks = [x.to(q).masked_fill(x, float("-inf")) if x.dtype == torch.bool else x for x in masks]
        if not masks:
            return None
        added = masks[0] if len(masks) == 1 else masks[0] + masks[1]
        return F.pad(added, (0, k.shape[-2] - added.shape[-1]))


class Fitting(TorchFunctionMode):
    """Inside it a tensor is reshaped to a shape that does not fit as if its code had known the width.

    Code like ``x.transpose(1, 2).reshape(batch, tokens, width)`` takes the width from the input of an attention; once
    heads have left, what they return is narrower. And some of an odd number of channels are copied where pairs of them
    are seen as complex numbers.

    Args:
        shapes: which of the shapes are made to fit, and where: how many axes they have, and the axis, or `PAIRS` of a
            tensor whose strides are. None: any.
        note: is told the same of every shape that was made to fit.
    """

    def __init__(
        self, shapes: Sequence[Sequence[int]] | None = None, note: Callable[[int, int], None] | None = None
    ) -> None:
        super().__init__()
        self._shapes = None if shapes is None else {(axes, axis) for axes, axis in shapes}
        self._note = note

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        reshapes = func in (Tensor.reshape, Tensor.view, torch.reshape) and len(args) > 1 and not kwargs
        if reshapes and not isinstance(args[1], torch.dtype):
            shape = args[1] if isinstance(args[1], Sequence) else args[1:]
            if widths := fitting(_numbers(args[0].shape), _numbers(shape), self._shapes):
                axis = next(iter(widths))
                args = (args[0], [widths.get(d, width) for d, width in enumerate(shape)])
                self._tell(len(shape), axis)
        elif func is torch.view_as_complex and not _even(args[0]) and self._allows(args[0].dim(), PAIRS):
            self._tell(args[0].dim(), PAIRS)
            args = (args[0].contiguous(),)
        return func(*args, **(kwargs or {}))

    def _allows(self, axes: int, axis: int) -> bool:
        return self._shapes is None or (axes, axis) in self._shapes

    def _tell(self, axes: int, axis: int) -> None:
        if self._note is not None:
            self._note(axes, axis)


def _even(pairs: Tensor) -> bool:
    """Whether pairs of numbers lie where complex ones could."""
    return pairs.stride(-1) == 1 and not any(n % 2 for n in (pairs.storage_offset(), *pairs.stride()[:-1]))


def _numbers(sizes: Sequence[Any]) -> list[int]:
    """Sizes as numbers: an export that traces a model has tensors in their place."""
    return [int(size) if isinstance(size, Tensor) else size for size in sizes]


def fitting(
    size: Sequence[int], shape: Sequence[int], allowed: Collection[tuple[int, int]] | None = None
) -> dict[int, int]:
    """The axis, and its width, by which a shape for a tensor of this size must differ; none if it fits, or none helps.

    Of several axes it is the one with which most begin and end where the tensor's do; of equal ones the last. A -1
    behind the batch, in a shape with more axes than the tensor, is the tensor's axis at that place, which comes second;
    but in place of the last one, which is split there, it is how many parts there are.

    Args:
        allowed: numbers of axes, and axis; None: any.
    """
    known = {}
    free = shape.index(-1) if -1 in shape else len(shape)
    if 0 < free < len(size) - 1 < len(shape) - 1 and tuple(shape[:free]) == tuple(size[:free]):
        known = {free: size[free]}
        shape, free = [known.get(d, width) for d, width in enumerate(shape)], len(shape)
    total, wanted = prod(size), abs(prod(shape))
    if wanted == total or 0 in (wanted, total) or (free < len(shape) and total % wanted == 0):
        return {}
    places = [d for d in range(min(free, len(shape))) if allowed is None or (len(shape), d) in allowed]
    if free < len(shape):  # only a width that the tensor has in the same place
        places = [d for d in places if d < len(size) and total % (wanted // shape[d] * size[d]) == 0]
        return {places[0]: size[places[0]]} if places else {}
    widths = {d: total * shape[d] // wanted for d in reversed(places) if total * shape[d] % wanted == 0}
    bounds = set(accumulate(size, mul))

    def met(axis: int) -> int:
        return len(bounds & set(accumulate([*shape[:axis], widths[axis], *shape[axis + 1 :]], mul)))

    best = max(widths, key=met, default=None)
    return {} if best is None else {best: widths[best], **known}


def narrow(value: Any, axis: int, entries: int, kept: Sequence[int]) -> Any:
    """What a module takes along an axis of a tensor that it is given, such as the slopes of the heads that it has.

    The tensor has an entry for every one of `entries` channels, or the same for all of them, and then stays as it is;
    along the first axis, where a batch may be folded in, (batch · entries, …), it has them for every input in turn.
    """
    if not isinstance(value, Tensor) or value.shape[axis] == 1:
        return value
    index = torch.tensor(kept, device=value.device)
    if axis:
        return value.index_select(axis, index)
    return value.unflatten(0, (-1, entries)).index_select(1, index).flatten(0, 1)


class _Following:
    """A module whose `forward` follows a cut: it narrows what it is given, and runs inside `Fitting`."""


@cache
def _following(known: Any) -> type[nn.Module]:
    class Following(known, _Following):  # type: ignore[misc, valid-type]
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            given: dict[Any, Any] = {**dict(enumerate(args)), **kwargs}
            for argument, *taken in getattr(self, NARROWED, ()):
                if argument in given:
                    given[argument] = narrow(given[argument], *taken)
            args, kwargs = tuple(given[place] for place in range(len(args))), {name: given[name] for name in kwargs}
            shapes = getattr(self, FITTED, ())
            with Fitting(shapes) if shapes else nullcontext():
                return super().forward(*args, **kwargs)

        def __reduce_ex__(self, protocol: Any) -> tuple:
            return _unfilled, (known,), self.__dict__

    for name in ("__name__", "__qualname__", "__module__"):
        setattr(Following, name, getattr(known, name))
    return Following


def _unfilled(known: Any) -> nn.Module:
    """A module of such a class, without anything in it: what copies start from."""
    made = _following(known)
    return made.__new__(made)


def depthwise_multiplier(layer: nn.Module) -> int:
    """Outputs per input channel of a depthwise convolution, 0 for any other layer."""
    if isinstance(layer, _ConvNd) and layer.groups == layer.in_channels and layer.groups > 1:
        return layer.out_channels // layer.in_channels
    return 0


def keeps_width(layer: nn.Module, attribute: str) -> bool:
    """Whether a plain attribute is a width that `set_widths` reads off the layer's tensors."""
    known = _ConvNd | nn.Linear | nn.Embedding | nn.LayerNorm | nn.RMSNorm | nn.GroupNorm | nn.PReLU | _NormBase
    return attribute in _WIDTHS and (
        isinstance(layer, known | nn.RNNBase | nn.RNNCellBase | nn.MultiheadAttention)
        or type(layer).__name__ == "Conv1D"
    )


def _weight(layer: nn.Module) -> Tensor | None:
    """A layer's weight, or what is as large, where it is computed anew in every call."""
    if "weight" in layer._parameters:
        return layer._parameters["weight"]
    parametrizations = layer._modules.get("parametrizations")
    if isinstance(parametrizations, nn.ModuleDict) and "weight" in parametrizations:
        return max(parametrizations["weight"].parameters(recurse=False), key=Tensor.numel)
    return layer._parameters.get("weight_v", layer._parameters.get("weight_orig"))


def set_widths(layer: nn.Module, depthwise_multiplier: int) -> None:
    """Let a layer's own record of its widths follow its tensors."""
    weight = _weight(layer)
    if isinstance(layer, _ConvNd) and weight is not None:
        outer, inner = weight.shape[:2]
        if layer.transposed:
            layer.groups = outer if depthwise_multiplier else layer.groups
            layer.in_channels, layer.out_channels = outer, inner * layer.groups
        else:
            layer.groups = outer // depthwise_multiplier if depthwise_multiplier else layer.groups
            layer.in_channels, layer.out_channels = inner * layer.groups, outer
    elif isinstance(layer, nn.Linear) and weight is not None:
        layer.out_features, layer.in_features = weight.shape
    elif type(layer).__name__ == "Conv1D" and hasattr(layer, "nf") and weight is not None:
        for name, size in zip(("nx", "nf"), weight.shape, strict=True):  # transformers' linear layer
            setattr(layer, name, size)
    elif isinstance(layer, nn.Embedding):
        layer.num_embeddings, layer.embedding_dim = layer.weight.shape
    elif isinstance(layer, nn.LayerNorm | nn.RMSNorm) and weight is not None:
        layer.normalized_shape = tuple(weight.shape)
    elif isinstance(layer, nn.GroupNorm) and weight is not None:
        if layer.num_groups == layer.num_channels > 1:  # one channel a group
            layer.num_groups = weight.shape[0]
        layer.num_channels = weight.shape[0]
    elif isinstance(layer, nn.PReLU):
        layer.num_parameters = layer.weight.shape[0]
    elif isinstance(layer, nn.RNNBase):
        weights = dict(layer.named_parameters())
        outputs, layer.input_size = weights["weight_hh_l0"].shape[1], weights["weight_ih_l0"].shape[1]
        layer.proj_size = outputs if layer.proj_size else 0
        layer.hidden_size = weights["weight_hr_l0"].shape[1] if layer.proj_size else outputs
        layer._init_flat_weights()  # it keeps its parameters in a list, too
    elif isinstance(layer, nn.RNNCellBase):
        layer.hidden_size, layer.input_size = layer.weight_hh.shape[1], layer.weight_ih.shape[1]
    elif isinstance(layer, _NormBase):
        sized = weight if weight is not None else layer.running_mean
        layer.num_features = layer.num_features if sized is None else sized.shape[0]
