"""What every operator does to channel identities: a table from operator name to rule.

A rule reads the labels of its inputs from the tracer and sets those of its outputs, writing into the ledger
what gets tied, read or frozen. Labels are int64 tensors of their tensor's shape; an axis along which the
identity does not vary has stride 0.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from explorer.structure.heads import counter
from explorer.structure.ledger import Contraction, Observation

if TYPE_CHECKING:
    from explorer.structure.trace import Source, Tracer

Rule = Callable[["Tracer", str, tuple, dict, Any], None]
RULES: dict[str, Rule] = {}
LARGEST = 2**27  # entries of a tensor whose identities are followed: 1 GiB where they must be written out

STRUCTURAL = (
    "view _unsafe_view reshape permute transpose t expand unsqueeze squeeze slice select split split_with_sizes "
    "chunk unbind alias detach clone contiguous _to_copy roll flip index_select index repeat lift_fresh narrow "
    "unflatten flatten movedim pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle _reshape_alias"
).split()
PLAIN = "permute transpose t expand unsqueeze squeeze select unbind alias detach clone contiguous _to_copy".split()
POINTWISE = (
    "relu gelu silu sigmoid hardswish hardsigmoid hardtanh clamp clamp_min clamp_max tanh dropout native_dropout neg "
    "exp log pow leaky_relu elu softplus erf rsqrt sqrt abs mish add sub rsub mul div maximum minimum where "
    "masked_fill lerp addcmul addcdiv relu6 _prelu_kernel prelu square reciprocal bernoulli threshold "
    "eq ne gt lt ge le zeros_like ones_like empty_like rand_like randn_like full_like sin cos"
).split()
ACTIVATIONS = "relu gelu silu sigmoid hardswish hardsigmoid hardtanh tanh leaky_relu elu softplus mish relu6".split()
SPATIAL = (
    "max_pool2d_with_indices avg_pool2d _adaptive_avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d "
    "upsample_nearest2d upsample_bilinear2d upsample_bicubic2d _upsample_bilinear2d_aa avg_pool1d max_pool1d "
    "_adaptive_avg_pool3d max_pool3d_with_indices avg_pool3d constant_pad_nd reflection_pad2d replication_pad2d"
).split()
REDUCTIONS = "mean sum amax amin max min var std var_mean prod linalg_vector_norm logsumexp argmax any all".split()
HARMLESS = "new_zeros new_ones new_empty new_full sym_size is_pinned _local_scalar_dense as_strided".split()


def rule(*names: str) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def operator_name(func: Any) -> str:
    """What an operator is called, whether it writes into its input or not."""
    name = func.overloadpacket.__name__
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


def apply(tracer: "Tracer", func: Any, args: tuple, kwargs: dict, out: Any) -> None:
    """Carry identities through one operator; one without a rule freezes what reaches it."""
    name = operator_name(func)
    if name.startswith("_scaled_dot_product"):
        name = "scaled_dot_product_attention"
    if name in HARMLESS:
        return
    RULES.get(name, _unknown)(tracer, name, args, kwargs, out)


# Labels --------------------------------------------------------------------------------------------------


def entries(label: Tensor) -> np.ndarray:
    """All different atoms of a label."""
    return np.unique(_core(label, set(varying(label))).reshape(-1).numpy())


def varying(label: Tensor) -> list[int]:
    """Axes along which the identity varies."""
    return [d for d in range(label.dim()) if label.shape[d] > 1 and label.stride(d) != 0]


def along(label: Tensor, axis: int) -> np.ndarray:
    """The atoms met along one axis, at index 0 of all others."""
    index = [0] * label.dim()
    index[axis] = slice(None)
    return label[tuple(index)].numpy()


def on_axis(atoms: np.ndarray, axis: int, shape: torch.Size) -> Tensor:
    """A label of `shape` whose identity varies along one axis only."""
    view = [1] * len(shape)
    view[axis] = -1
    return torch.from_numpy(np.ascontiguousarray(atoms)).view(view).expand(shape)


def collapse(label: Tensor) -> Tensor:
    """The same label with stride 0 on every axis along which it turns out constant."""
    for d in varying(label):
        size = label.shape[d]
        if torch.equal(label.narrow(d, 0, size - 1), label.narrow(d, 1, size - 1)):
            label = label.narrow(d, 0, 1).expand(label.shape)
    return label


def _core(label: Tensor, axes: set[int]) -> Tensor:
    """The label reduced to the given axes (index 0 elsewhere)."""
    for d in range(label.dim()):
        if d not in axes:
            label = label.narrow(d, 0, 1)
    return label


def born_from(tracer: "Tracer", source: "Source", like: Tensor | None = None) -> Tensor | None:
    """Labels of a parameter that enters as an activation (positions, class token, layer scale, a gate).

    It is born along its last axis, or, where it meets the label `like`, the last that runs where that one varies:
    none, if all channels meet the same entries.
    """
    axes = [a for a, size in enumerate(source.shape) if size > 1]
    if like is not None:
        skipped = like.dim() - source.indices[0].dim() if source.indices else 0
        met = {d - skipped for d in varying(like)}
        axes = [a for a in axes if met & set(varying(source.indices[a]))]
    if not axes:
        return None
    axis = axes[-1]
    atoms = tracer.ledger.bear(source.name, axis, source.shape[axis], role="affine")
    index = source.indices[axis]
    return torch.from_numpy(atoms)[_core(index, set(varying(index)))].expand(index.shape)


def _freeze(tracer: "Tracer", label: Tensor | None, reason: str) -> None:
    if label is not None:
        tracer.ledger.freeze(entries(label), f"{reason} in {tracer.here}")


def _unmix(tracer: "Tracer", label: Tensor, mixed: set[int], reason: str) -> Tensor | None:
    """A label without the axes whose entries an operator mixes: those of one channel are tied.

    None, and all frozen, where the channels lie along these axes only.
    """
    axes = set(varying(label))
    if not axes & mixed:
        return label
    if axes <= mixed:
        _freeze(tracer, label, reason)
        return None
    channels, spread = _core(label, axes - mixed), _core(label, axes)
    _unite(tracer, channels.expand(spread.shape), spread, "spread over positions")
    return channels.expand(label.shape)


def _set(tracer: "Tracer", tensor: Any, label: Tensor | None) -> None:
    if isinstance(tensor, Tensor) and label is not None:
        tracer.labels[tensor] = label
        tracer.sources.pop(tensor, None)


def _source_axis(source: "Source | None", dim: int) -> tuple[int, np.ndarray] | None:
    """Which original axis of a parameter runs along `dim` of its view, and the indices met there."""
    if source is None:
        return None
    running = [a for a, index in enumerate(source.indices) if dim in varying(index)]
    if len(running) == 1 and varying(source.indices[running[0]]) == [dim]:
        return running[0], along(source.indices[running[0]], dim)
    if not running:  # an axis of size 1
        single = [a for a, size in enumerate(source.shape) if size == 1]
        if single and source.indices[0].shape[dim] == 1:
            return single[0], np.zeros(1, dtype=np.int64)
    return None


def _attach(tracer: "Tracer", tensor: Any, atoms: np.ndarray) -> None:
    """Write down a per-channel vector (bias, scale, statistics) as belonging to these atoms."""
    if not isinstance(tensor, Tensor):
        return
    place = _source_axis(tracer.sources.get(tensor), 0)
    if place is None:
        label = tracer.label(tensor)
        if label is None:
            tracer.ledger.freeze(atoms, f"a computed vector is added per channel in {tracer.here}")
        else:
            tracer.ledger.unite(along(label, 0), atoms)
        return
    source = tracer.sources[tensor]
    axis, positions = place
    tracer.ledger.record(source.name, axis, positions, atoms, size=source.shape[axis], role="affine")


def _unite(tracer: "Tracer", a: Tensor, b: Tensor, what: str) -> None:
    """Unite two labels of one shape entry by entry."""
    axes = set(varying(a)) | set(varying(b))
    tracer.ledger.unite(
        _core(a, axes).reshape(-1).numpy(), _core(b, axes).reshape(-1).numpy(), what=what, module=tracer.here
    )


# Operators that only move entries ------------------------------------------------------------------------


@rule(*STRUCTURAL)
def _structural(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Any) -> None:
    tensor = args[0]
    if isinstance(tensor, Tensor) and tensor.numel() > LARGEST and name not in PLAIN:
        _unknown(tracer, name, args, kwargs, out)
        return
    source = tracer.sources.get(tensor) if tensor not in tracer.labels else None
    if source is not None:
        moved = [_move(name, index, args, kwargs, out) for index in source.indices]
        for position, view in enumerate(tree_leaves(out)):
            if view is not tensor:
                tracer.sources[view] = replace(source, indices=tuple(m[position] for m in moved), moved=True)
    elif (label := tracer.label(tensor)) is not None:
        if name in ("index", "index_select"):
            _look_up(tracer, label, _chosen(name, args))
        if name == "slice" and len(args) > 4 and args[4] > 1 and args[1] % label.dim() in varying(label):
            _freeze(tracer, label, "sliced with a step")  # which channels it takes would change with those before
        moved = _move(name, label, args, kwargs, out)
        for view, moved_label in zip(tree_leaves(out), moved, strict=True):
            _set(tracer, view, moved_label)
        if name in ("split", "split_with_sizes", "chunk"):
            _tie_parts(tracer, moved)
    else:
        for other in tree_leaves(args[1:]):
            _freeze(tracer, tracer.label(other), f"used as an index by {name}")


def _chosen(name: str, args: tuple) -> dict[int, Tensor]:
    """The numbers (or marks) by which an operator chooses entries, by axis."""
    if name == "index_select":
        return {args[1] % args[0].dim(): args[2]}
    chosen: dict[int, Tensor] = {}
    axis = 0
    for numbers in args[1]:
        spanned = numbers.dim() if numbers is not None and numbers.dtype is torch.bool else 1
        if numbers is not None:
            chosen.update(dict.fromkeys(range(axis, axis + spanned), numbers))
        axis += spanned
    return chosen


def _look_up(tracer: "Tracer", label: Tensor, chosen: dict[int, Tensor]) -> None:
    """Channels may be chosen by the numbers in a buffer, which the cut writes anew; other numbers can't follow."""
    axes = varying(label)
    if not chosen.keys() & set(axes):
        return
    (numbers, *others) = chosen.values()
    source = tracer.sources.get(numbers)
    numbered = numbers.dim() == 1 and numbers.dtype is not torch.bool and source is not None and source.in_order
    if numbered and not others and len(axes) == 1:
        atoms = np.ascontiguousarray(along(label, axes[0]))
        tracer.ledger.look_up(source.name, numbers.numpy() % len(atoms), atoms)
    else:
        _freeze(tracer, label, "chosen by fixed numbers")


def _tie_parts(tracer: "Tracer", parts: list[Tensor]) -> None:
    """Equal parts of a labelled axis must stay equal: the same places of all parts leave together."""
    if len({part.shape for part in parts}) == 1:
        for part in parts[1:]:
            _unite(tracer, parts[0], part, "split into equal parts")


def _move(name: str, label: Tensor, args: tuple, kwargs: dict, out: Any) -> list[Tensor]:
    """Apply an operator that only moves entries to a label: one label per output."""
    if name in ("clone", "contiguous", "_to_copy", "alias", "detach", "lift_fresh"):
        return [label]
    if name in ("view", "_unsafe_view", "reshape", "_reshape_alias"):
        return [collapse(label.reshape(out.shape))]
    op = getattr(torch.ops.aten, name)
    moved = tree_leaves(op(label, *args[1:], **kwargs))
    return moved if name in PLAIN else [collapse(m) for m in moved]


# Operators that work entry by entry ----------------------------------------------------------------------


@rule(*POINTWISE)
def _pointwise(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Any) -> None:
    if name == "add" and _is_bias(tracer, *args[:2]):
        _attach(tracer, args[1], along(tracer.label(args[0]), args[0].dim() - 1))
        _set(tracer, out, tracer.label(args[0]))
        return
    outs = [o for o in tree_leaves(out) if isinstance(o, Tensor)]
    shape = outs[0].shape
    tensors = [a for a in tree_leaves((args, kwargs)) if isinstance(a, Tensor)]
    real = [tracer.labels[t].expand(shape) for t in tensors if t in tracer.labels]
    if not real and _computed(tracer, tensors, outs):
        return
    like = max(real, key=lambda label: len(varying(label)), default=None)
    found = [(t, tracer.label(t, like)) for t in tensors]
    labels = [(t, label.expand(shape)) for t, label in found if label is not None]
    if not labels:
        return
    widest, result = labels[0]
    frozen_norm = (f"{tracer.path[-1]}.running_var", 0) in tracer.ledger.axes
    what = "" if frozen_norm else {"mul": "product", "add": "addition"}.get(name, name)
    for tensor, other in labels[1:]:
        if len(varying(result)) >= len(varying(other)):
            _meet(tracer, tensor, other, result, what)
        else:
            _meet(tracer, widest, result, other, what)
        if name == "add" and not frozen_norm and varying(result) == varying(other) and len(varying(result)) == 1:
            tracer.ledger.add_up(along(result, *varying(result)), along(other, *varying(other)))
        if len(varying(result)) < len(varying(other)):
            widest, result = tensor, other
    axes = set(varying(result))
    if frozen_norm and axes == {1}:
        _observe_after_norm(tracer, along(result, 1))
    for tensor, label in found:
        if label is None and any(_differs_along(tensor, d - len(shape)) for d in axes):
            _freeze(tracer, result, f"{name} with a tensor of fixed width")
        elif label is None and tensor not in tracer.sources:
            _adopt(tracer, tensor, result)
    if name in ACTIVATIONS and len(axes) == 1:
        tracer.ledger.activate(along(result, *axes), name)
    for o in outs:
        if o.shape == shape:
            _set(tracer, o, result)


def _computed(tracer: "Tracer", tensors: list[Tensor], outs: list[Tensor]) -> bool:
    """Let what is computed entry by entry from one parameter, and from single numbers, still stand for its entries."""
    large = [t for t in tensors if t.numel() > 1] or tensors[:1]
    source = tracer.sources.get(large[0])
    if len(large) > 1 or source is None:
        return False
    for out in outs:
        indices = tuple(index.expand(out.shape) for index in source.indices)
        tracer.sources[out] = replace(source, indices=indices, moved=True, computed=True)
    return True


def _meet(tracer: "Tracer", tensor: Tensor, label: Tensor, other: Tensor, what: str) -> None:
    """Tie the label of a tensor, expanded, to another one that varies along at least as many axes.

    What is the same for all channels (a gate of one channel) is not tied to them. What is the same for all heads
    but has an entry for every place in them leaves with these, or stays, where heads leave as a whole.
    """
    own, axes = set(varying(label)), set(varying(other))
    skipped = label.dim() - tensor.dim()
    shared = {d for d in axes - own if d < skipped or tensor.shape[d - skipped] == 1 or tensor.stride(d - skipped) == 0}
    if not own and axes and shared == axes:
        tracer.ledger.keep(int(entries(label)[0]), f"one channel meets all others in {tracer.here}")
    elif own < axes and shared and min(shared) < min(own):
        rows = sorted(axes - own)
        grid = _core(other, axes).permute([*rows, *(d for d in range(other.dim()) if d not in rows)])
        places = _core(label, own).reshape(-1).numpy()
        tracer.ledger.share(places, grid.reshape(-1, len(places)).numpy(), what, tracer.here)
    else:
        _unite(tracer, label, other, what)


def _is_bias(tracer: "Tracer", x: Any, vector: Any) -> bool:
    """Whether a layer adds its own vector to its rows, as `linear` does where its input does not lie in one piece."""
    source = tracer.sources.get(vector) if isinstance(vector, Tensor) and vector.dim() == 1 else None
    label = tracer.labels.get(x) if isinstance(x, Tensor) else None
    if source is None or label is None or varying(label) != [label.dim() - 1]:
        return False
    owners = {tracer.path[-1], source.name.rpartition(".")[0]}
    made = tracer.ledger.producers_of(along(label, label.dim() - 1))
    return any(owners == {birth.tensor.rpartition(".")[0]} for birth in made)


def _adopt(tracer: "Tracer", tensor: Tensor, label: Tensor) -> None:
    """Let a constant with an entry per channel, all equal, stand for the channels it first meets."""
    axes = [d for d in varying(label) if (own := d - label.dim() + tensor.dim()) >= 0 and tensor.shape[own] > 1]
    if axes:
        core = _core(label, set(axes))
        for _ in range(label.dim() - tensor.dim()):
            core = core.squeeze(0)
        tracer.labels[tensor] = core.expand(tensor.shape)


def _differs_along(tensor: Tensor, axis: int) -> bool:
    """Whether a constant has entries of its own for every channel; equal ones may be as many as there are channels."""
    if -axis > tensor.dim() or tensor.shape[axis] == 1 or tensor.stride(axis) == 0:
        return False
    return not torch.equal(tensor, tensor.narrow(axis, 0, 1).expand_as(tensor))


@rule(*SPATIAL)
def _spatial(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Any) -> None:
    label, first = tracer.label(args[0]), tree_leaves(out)[0]
    if label is None:
        return
    if kernel := re.search(r"(\d)d", name):  # this many axes, the last, are what it mixes
        label = _unmix(tracer, label, set(range(label.dim() - int(kernel[1]), label.dim())), f"{name} along channels")
    if label is None or any(label.shape[d] != first.shape[d] for d in varying(label)):
        _freeze(tracer, label, f"{name} along channels")
        return
    core = _core(label, set(varying(label)))
    for o in tree_leaves(out):
        _set(tracer, o, core.expand(o.shape))


@rule("glu")
def _glu(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Tensor) -> None:
    label = tracer.label(args[0])
    if label is not None:
        halves = [collapse(half) for half in label.chunk(2, args[1] if len(args) > 1 else -1)]
        _tie_parts(tracer, halves)
        _set(tracer, out, halves[0])


@rule("roi_align")
def _roi_align(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Tensor) -> None:
    label = tracer.label(args[0])
    _freeze(tracer, tracer.label(args[1]), "used as boxes")
    if label is None:
        return
    if set(varying(label)) - {1}:
        _freeze(tracer, label, "boxes cut out of mixed axes")
        return
    _set(tracer, out, _core(label, {1})[:1].expand(out.shape))


@rule(*REDUCTIONS)
def _reduction(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Any) -> None:
    label = tracer.label(args[0])
    if label is None:
        return
    dims = next((a for a in args[1:] if isinstance(a, int | list | tuple) and not isinstance(a, bool)), None)
    if name == "linalg_vector_norm":
        dims = args[2] if len(args) > 2 else kwargs.get("dim")
    dims = kwargs.get("dim", dims)
    dims = range(label.dim()) if dims is None or dims == [] else dims
    dims = {d % label.dim() for d in ([dims] if isinstance(dims, int) else dims)}
    if reduced := dims & set(varying(label)):
        if name in ("argmax", "any", "all", "prod"):
            _freeze(tracer, label, f"{name} over channels")
            return
        _reduce_channels(tracer, name, label, reduced)
        if reduced == set(varying(label)):
            return
    first = tree_leaves(out)[0]
    kept = _core(label, set(range(label.dim())) - dims)
    if first.dim() != label.dim():
        for d in sorted(dims, reverse=True):
            kept = kept.squeeze(d)
    for o in tree_leaves(out):
        _set(tracer, o, kept)


def _reduce_channels(tracer: "Tracer", name: str, label: Tensor, reduced: set[int]) -> None:
    """A statistic over channels: what else the identity varies along (heads) leaves as a whole."""
    core = _core(label, set(varying(label)))
    first = core
    for d in reduced:
        first = first.narrow(d, 0, 1)
    if reduced == set(varying(label)):
        tracer.ledger.blur(entries(label), f"{name} in {tracer.here} runs over these channels", tracer.path[-1])
    else:
        _unite(tracer, first.expand(core.shape), core, f"{name} over channels")
        if name not in ("sum", "linalg_vector_norm"):  # zeros count
            tracer.ledger.blur_places(entries(label), f"{name} in {tracer.here} runs over the channels of a head")


@rule("_softmax", "_log_softmax", "softmax", "log_softmax")
def _softmax(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Tensor) -> None:
    label = tracer.label(args[0])
    if label is None:
        return
    if args[1] % label.dim() in varying(label):
        tracer.ledger.blur(entries(label), f"the softmax in {tracer.here} runs over these channels", "")
    _set(tracer, out, label)


@rule("cat")
def _cat(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Tensor) -> None:
    tensors = [t for t in args[0] if t.numel()]
    dim = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % out.dim()
    like = next((tracer.labels[t] for t in tensors if t in tracer.labels), None)
    labels = [tracer.label(t, like) for t in tensors]
    known = [label for label in labels if label is not None]
    if not known:
        return
    axes = {d for label in known for d in varying(label)}
    if axes - {dim} and dim in axes:
        _join(tracer, tensors, labels, axes, dim, out)
        return
    if dim in axes or not axes:
        parts = [
            tracer.ledger.constant(t.shape[dim], f"joined with a tensor of fixed width in {tracer.here}")
            if label is None
            else _axis_atoms(label, dim)
            for t, label in zip(tensors, labels, strict=True)
        ]
        _set(tracer, out, on_axis(np.concatenate(parts), dim, out.shape))
        return
    result = _core(known[0], axes)
    for label in known[1:]:
        _unite(tracer, result, _core(label, axes), "concatenation")
    for label in known if len(known) < len(labels) else []:
        _freeze(tracer, label, "joined with a tensor of fixed width")
    _set(tracer, out, result.expand(out.shape))


def _join(tracer: "Tracer", tensors: list, labels: list, axes: set[int], dim: int, out: Tensor) -> None:
    """Concatenate labels that vary along `dim` and along other axes, entry by entry."""
    if prod(out.shape[d] for d in axes) > LARGEST:
        for label in labels:
            _freeze(tracer, label, "concatenation along two axes")
        return
    parts = []
    for tensor, label in zip(tensors, labels, strict=True):
        if label is None:
            fixed = tracer.ledger.constant(1, f"joined with a tensor of fixed width in {tracer.here}")
            label = torch.from_numpy(fixed).expand(tensor.shape)
        parts.append(_core(label, axes))
    _set(tracer, out, collapse(torch.cat(parts, dim).expand(out.shape)))


def _axis_atoms(label: Tensor, dim: int) -> np.ndarray:
    return np.broadcast_to(along(label, dim), (label.shape[dim],))


@rule("stack")
def _stack(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Tensor) -> None:
    like = next((tracer.labels[t] for t in args[0] if t in tracer.labels), None)
    labels = [label for t in args[0] if (label := tracer.label(t, like)) is not None]
    dim = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % out.dim()
    for label in labels[1:]:
        _unite(tracer, labels[0], label, "stack")
    if labels:
        if len(labels) < len(args[0]):
            _freeze(tracer, labels[0], "stacked with a tensor of fixed width")
        _set(tracer, out, labels[0].unsqueeze(dim).expand(out.shape))


# Normalisation -------------------------------------------------------------------------------------------


@rule("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "cudnn_batch_norm",
      "_batch_norm_with_update", "_batch_norm_no_update")  # fmt: skip
def _batch_norm(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Any) -> None:
    label = tracer.label(args[0])
    if label is None:
        return
    label = _unmix(tracer, label, set(range(label.dim())) - {1}, "batch norm over mixed axes")
    if label is None:
        return
    atoms = _axis_atoms(label, 1)
    for vector in args[1:5]:
        if isinstance(vector, Tensor):
            _attach(tracer, vector, atoms)
    _observe_after_norm(tracer, atoms)
    _set(tracer, out[0], label)


def _observe_after_norm(tracer: "Tracer", atoms: np.ndarray) -> None:
    """Channels that a batch norm follows are seen behind it: the module that is running."""
    for birth in tracer.ledger.producers_of(atoms):
        seen = tracer.ledger.observations.get(birth.tensor)
        if seen and not (seen.normalised or seen.activation or birth.tensor in tracer.ledger.sums):
            seen.module, seen.normalised, seen.axis = tracer.path[-1], True, 1


@rule("native_layer_norm")
def _layer_norm(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Any) -> None:
    x, shape, weight, bias = args[:4]
    label = tracer.label(x)
    if label is None:
        return
    over = set(range(x.dim() - len(shape), x.dim()))
    axes = set(varying(label)) & over
    if axes and len(shape) > 1:
        _freeze(tracer, label, "layer norm over several axes")
        return
    if axes and set(varying(label)) != axes:
        _reduce_channels(tracer, "layer norm", label, axes)
        for vector in (weight, bias):
            if (own := tracer.label(vector, label)) is not None:
                _meet(tracer, vector, own.expand(label.shape), label, "layer norm")
    elif axes:
        atoms = along(label, x.dim() - 1)
        tracer.ledger.blur(
            atoms, f"layer norm in {tracer.here} takes its statistics over these channels", tracer.path[-1]
        )
        for vector in (weight, bias):
            _attach(tracer, vector, atoms)
    _set(tracer, out[0], label)


@rule("native_group_norm")
def _group_norm(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Any) -> None:
    x, weight, bias, *_, groups, _eps = args
    label = tracer.label(x)
    if label is None:
        return
    label = _unmix(tracer, label, set(range(label.dim())) - {1}, "group norm over mixed axes")
    if label is None:
        return
    atoms = np.ascontiguousarray(_axis_atoms(label, 1))
    if groups < len(atoms):  # else every channel has its own statistics
        rows = atoms.reshape(groups, -1)
        for row in rows[1:]:
            tracer.ledger.unite(rows[0], row, "group norm", tracer.here)
        reason = f"group norm in {tracer.here} takes its statistics over these channels"
        tracer.ledger.blur(atoms, reason, tracer.path[-1])
    for vector in (weight, bias):
        _attach(tracer, vector, atoms)
    _set(tracer, out[0], label)


# Products with parameters --------------------------------------------------------------------------------


@rule("convolution", "_convolution", "cudnn_convolution", "mkldnn_convolution")
def _convolution(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Tensor) -> None:
    x, weight, bias = args[:3]
    transposed, groups = (args[6], args[8]) if name in ("convolution", "_convolution") else (False, args[-1])
    label, source = tracer.label(x), tracer.sources.get(weight)
    if weight in tracer.labels or source is None or not source.in_order:
        for t in (x, weight):
            _freeze(tracer, tracer.label(t), "convolution with a computed kernel")
        return
    ledger = tracer.ledger
    depthwise = groups > 1 and groups == x.shape[1]
    out_axis, in_axis = (1, 0) if transposed and not depthwise else (0, 1)
    copies = groups if transposed and not depthwise else 1
    rows = ledger.bear(source.name, out_axis, weight.shape[out_axis], role="producer", copies=copies)
    if label is not None:
        label = _unmix(tracer, label, set(range(label.dim())) - {1}, "convolution over mixed axes")
        if label is None:
            ledger.freeze(rows, f"convolution over mixed axes in {tracer.here}")
    read = (
        ledger.constant(x.shape[1], "it reads the model's input")
        if label is None
        else np.ascontiguousarray(_axis_atoms(label, 1))
    )
    born = np.tile(rows, copies)
    if groups > 1 and not depthwise and not transposed:
        _tie_groups(tracer, rows.reshape(groups, -1))
    if depthwise:
        ledger.unite(np.repeat(read, len(rows) // len(read)), rows, "depthwise convolution", tracer.here)
        born = np.repeat(rows, out.shape[1] // len(rows))
        inner = np.zeros(0, dtype=np.int64)
    else:
        if groups > 1:
            _tie_groups(tracer, read.reshape(groups, -1))
        inner = read if transposed else read[: weight.shape[1]]
        ledger.record(source.name, in_axis, np.arange(len(inner)), inner, size=len(inner), role="consumer")
    if bias is not None:
        _attach(tracer, bias, born)
    if len(born) == len(rows):
        ledger.observations.setdefault(source.name, Observation(tracer.path[-1], 1))
    if tracer.costs:
        grid = x if transposed else out
        taps = len(grid) * prod(grid.shape[2:]) * prod(weight.shape[2:])  # boxes of one image make a batch, too
        taps *= weight.shape[1] if depthwise else 1
        sides = (rows,) if depthwise else (rows, inner)
        ledger.contractions.append(Contraction(taps, sides))
    _set(tracer, out, on_axis(born, 1, out.shape))


def _tie_groups(tracer: "Tracer", rows: np.ndarray) -> None:
    """Every group of a grouped convolution keeps the same number: same positions leave together."""
    for row in rows[1:]:
        tracer.ledger.unite(rows[0], row, "grouped convolution", tracer.here)


@rule("addmm")
def _addmm(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Tensor) -> None:
    bias, a, b = args[:3]
    _matmul(tracer, a, b, bias, out)


@rule("mm")
def _mm(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Tensor) -> None:
    _matmul(tracer, args[0], args[1], None, out)


@rule("linear")
def _linear(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Tensor) -> None:
    x, weight = args[:2]
    bias = args[2] if len(args) > 2 else kwargs.get("bias")
    turned = weight.t()
    _structural(tracer, "t", (weight,), {}, turned)
    _matmul(tracer, x, turned, bias, out)


def _matmul(tracer: "Tracer", x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> None:
    """``x @ weight (+ bias)``: a parameter on either side is read along the inner axis, and bears its rows."""
    last = out.dim() - 1
    if found := _weight(tracer, weight, last, last - 1):
        born = _weigh(tracer, found, tracer.label(x), x.shape, bias)
        tracer.ledger.observations.setdefault(found.source.name, Observation(tracer.path[-1], -1))
    elif bias is None and (found := _weight(tracer, x, last - 1, last)):
        label = tracer.label(weight)
        born = _weigh(tracer, found, None if label is None else label.mT, weight.mT.shape, None).mT
    else:
        born = _product(tracer, tracer.label(x), tracer.label(weight), x.shape[:-2], (*x.shape[-2:], weight.shape[-1]))
    _set(tracer, out, born)


class _Weight(NamedTuple):
    """A parameter in a matrix product: the axes that bear and that read channels, and the indices met there."""

    source: "Source"
    outer: tuple[int, np.ndarray]
    inner: tuple[int, np.ndarray]


def _weight(tracer: "Tracer", tensor: Tensor, outer: int, inner: int) -> _Weight | None:
    """A tensor as a parameter with rows along `outer` and inputs along `inner`, the same for the whole batch."""
    source = tracer.sources.get(tensor) if tensor not in tracer.labels else None
    if source is None or source.computed or any(set(varying(i)) - {outer, inner} for i in source.indices):
        return None
    rows, inputs = _source_axis(source, outer), _source_axis(source, inner)
    return None if rows is None or inputs is None or rows[0] == inputs[0] else _Weight(source, rows, inputs)


def _weigh(tracer: "Tracer", weight: _Weight, label: Tensor | None, shape: torch.Size, bias: Tensor | None) -> Tensor:
    """The label of ``x @ weight (+ bias)``, x of this label and shape: its last axis is read, rows are born."""
    ledger, last = tracer.ledger, len(shape) - 1
    source, (out_axis, out_index), (in_axis, in_index) = weight
    positions = set(varying(label)) - {last} if label is not None else set()
    tokens = prod(shape[:-1]) > 2
    rows = ledger.bear(source.name, out_axis, source.shape[out_axis], role="producer", tokens=tokens)[out_index]
    if label is None or positions:
        read = ledger.constant(len(in_index), "it reads the model's input")
        if positions:
            if last in varying(label):
                _freeze(tracer, label, "a matrix product over mixed axes")
            ledger.freeze(rows, f"{tracer.here} mixes positions, not channels")
    else:
        read = np.ascontiguousarray(_axis_atoms(label, last))
    ledger.record(source.name, in_axis, in_index, read, size=source.shape[in_axis], role="consumer")
    if bias is not None:
        _attach(tracer, bias, rows)
    if tracer.costs:
        sides = (rows, read)
        coefficient = prod(shape[:-1])
        if positions:
            coefficient, sides = 1, (rows, read, _label_rows(label))
        ledger.contractions.append(Contraction(coefficient, sides))
    made = (*shape[:-1], len(rows))
    return _core(label, positions).expand(made) if positions else on_axis(rows, last, made)


def _label_rows(label: Tensor) -> np.ndarray:
    return label.select(-1, 0).reshape(-1).numpy()


@rule("embedding")
def _embedding(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Tensor) -> None:
    place = _source_axis(tracer.sources.get(args[0]), 1)
    if place is None:
        _unknown(tracer, name, args, kwargs, out)
        return
    source, (axis, index) = tracer.sources[args[0]], place
    atoms = tracer.ledger.bear(source.name, axis, source.shape[axis], role="producer")[index]
    tracer.ledger.observations.setdefault(source.name, Observation(tracer.path[-1], -1))
    _set(tracer, out, on_axis(atoms, out.dim() - 1, out.shape))


# Products of activations ---------------------------------------------------------------------------------


@rule("bmm")
def _bmm(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Tensor) -> None:
    _matmul(tracer, args[0], args[1], None, out)


@rule("baddbmm")
def _baddbmm(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Tensor) -> None:
    _bmm(tracer, name, args[1:], {}, out)
    _pointwise(tracer, "add", (args[0], out), {}, out)


@rule("scaled_dot_product_attention")
def _attention(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Any) -> None:
    q, k, v = args[:3]
    first = tree_leaves(out)[0]
    lq, lk, lv = (tracer.label(t) for t in (q, k, v))
    turned = None if lk is None else lk.transpose(-1, -2)
    batch, rows, columns = q.shape[:-2], q.shape[-2], k.shape[-2]
    if lq is not None and kwargs.get("scale") is None:
        reason = f"the scale of the attention in {tracer.here} follows the number of these channels"
        tracer.ledger.blur_places(entries(lq), reason)
    weights = _product(tracer, lq, turned, batch, (rows, q.shape[-1], columns))
    for bias in tree_leaves((args[3:], kwargs)):  # a mask, or a relative position bias with a row per head
        label = tracer.label(bias, weights)
        if label is None and isinstance(bias, Tensor) and weights is not None:
            _adopt(tracer, bias, weights)
        elif label is not None:
            label = label.expand(*batch, rows, columns)
            if weights is None:
                _freeze(tracer, label, "added to attention without heads")
            else:
                _unite(tracer, weights, label, "position bias of the attention")
    _set(tracer, first, _product(tracer, weights, lv, batch, (rows, columns, v.shape[-1])))


def _product(
    tracer: "Tracer", la: Tensor | None, lb: Tensor | None, batch: tuple[int, ...], sizes: tuple[int, int, int]
) -> Tensor | None:
    """The label of ``a @ b``, two activations of shape (*batch, rows, inner) and (*batch, inner, columns).

    Channels that are summed over are tied pair by pair, and all those of one batch index (a head) to each
    other; what has the same batch index on the other side is tied to it too.
    """
    rows, inner, columns = sizes
    dims = len(batch)
    va, vb = (set(varying(label)) if label is not None else set() for label in (la, lb))
    if dims in va and dims + 1 not in va | vb and dims not in vb:
        turned = None if lb is None else lb.mT  # the rows of a are carried, as columns of b are
        result = _product(tracer, turned, la.mT, batch, (columns, inner, rows))
        return None if result is None else result.mT
    if dims in va and dims + 1 not in va:
        _freeze(tracer, la, "a product of activations along channels")
        la, va = None, set()
    summed, carried = dims + 1 in va, dims + 1 in vb
    if dims in va or summed != (dims in vb) or (summed and carried):
        for label in (la, lb):
            _freeze(tracer, label, "a product of activations along channels")
        la = lb = None
        va = vb = set()
        summed = carried = False
    heads = {d for d in va | vb if d < dims}
    each = prod(size for d, size in enumerate(batch) if d not in heads)
    if summed:
        counted = _core(la, heads | {dims + 1})
        keys = _core(lb, heads | {dims}).transpose(-1, -2)
        _unite(tracer, counted, keys, "attention")
        result = None
        if heads or _keeps_width(tracer, counted):
            result = counted.narrow(-1, 0, 1)
            _tie_head(tracer, result, counted)
            tracer.ledger.heads.append(_by_head(keys))
        else:
            tracer.ledger.contracted.append(np.union1d(counted, keys))
        each *= rows * columns
    elif lb is not None:
        counted = result = _core(lb, heads | ({dims + 1} & vb))
        lone = int(entries(la)[0]) if la is not None and not va & heads else -1
        if la is not None and (lone < 0 or lone in tracer.ledger.lone_heads):
            _tie_head(tracer, _core(la, heads), counted)
        elif la is not None:
            tracer.ledger.keep(lone, f"one channel meets all others in {tracer.here}")
        each *= rows * inner * (1 if carried else columns)
    else:
        counted = result = None if la is None else _core(la, heads)
        each *= rows * inner * columns
    if tracer.costs:
        sides = () if counted is None else (counted.reshape(-1).numpy(),)
        tracer.ledger.contractions.append(Contraction(each, sides))
    return None if result is None else result.expand(*batch, rows, columns)


def _keeps_width(tracer: "Tracer", channels: Tensor) -> bool:
    """Whether an attribute has the width of this single head, which queries, keys and values then share."""
    atoms = channels.reshape(-1).numpy()
    if any(counter(tracer.module, tensor, len(atoms)) for tensor in tracer.ledger.tensors_of(atoms)):
        tracer.ledger.lone_heads.add(int(atoms[0]))
        return True
    return False


def _tie_head(tracer: "Tracer", head: Tensor, channels: Tensor) -> None:
    """All channels of one batch index leave with that index."""
    head = head.expand(channels.shape)
    _unite(tracer, head, channels, "attention head")
    tracer.ledger.heads.append(_by_head(channels))


def _by_head(channels: Tensor) -> np.ndarray:
    """Atoms of shape (heads, channels of one head)."""
    return channels.reshape(-1, channels.shape[-1]).numpy()


@rule("copy", "fill", "zero")
def _overwrite(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Any) -> None:
    source = args[1] if name == "copy" else None
    label = tracer.label(source)
    whole = isinstance(out, Tensor) and out._base is None
    if label is not None and whole and label.shape == out.shape:
        _set(tracer, out, label)
    else:
        _freeze(tracer, label, "written into a part of another tensor")


def _unknown(tracer: "Tracer", name: str, args: tuple, kwargs: dict, out: Any) -> None:
    for tensor in tree_leaves((args, kwargs)):
        label = tracer.label(tensor) if isinstance(tensor, Tensor) else None
        _freeze(tracer, label, f"the operator {name}")
