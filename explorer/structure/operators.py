"""The operators of ATen that are known here, in one table: of what kind each is, and how much it multiplies."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, auto
from functools import cache
from math import prod
from typing import Any, NamedTuple

from torch import Tensor


class Kind(StrEnum):
    """What an operator does to its entries; `explorer.structure.rules` has a rule for every kind."""

    # Operators that only move entries.
    SAME = auto()  # nothing moves
    RESHAPE = auto()
    TURN = auto()  # axes change places, appear, disappear, or are repeated
    SPLIT = auto()
    CHOOSE = auto()  # entries are chosen by numbers in another tensor
    MOVE = auto()  # any other way
    GLU = auto()
    ROI_ALIGN = auto()
    CAT = auto()
    STACK = auto()
    WRITE = auto()  # into a tensor that exists
    # Operators that compute.
    ENTRYWISE = auto()
    POOL = auto()  # over positions: the last axes
    AVERAGE = auto()  # a statistic in which zeros count
    ADD_UP = auto()  # a statistic to which zeros add nothing
    DECIDE = auto()  # a statistic that a single entry decides
    SOFTMAX = auto()
    BATCH_NORM = auto()
    LAYER_NORM = auto()
    GROUP_NORM = auto()
    # Products.
    CONVOLUTION = auto()
    MATMUL = auto()
    ADDED_MATMUL = auto()  # a matrix product and the bias of a layer
    BATCHED_ADDED_MATMUL = auto()  # a batch of matrix products and what is added to them
    LINEAR = auto()
    EMBEDDING = auto()
    ATTENTION = auto()
    # The others.
    HARMLESS = auto()  # its output has nothing to do with the entries
    LOOK = auto()  # comes before Python reads values unseen
    UNKNOWN = auto()


NORMS = frozenset((Kind.BATCH_NORM, Kind.LAYER_NORM, Kind.GROUP_NORM))


class Multiplied(NamedTuple):
    """Multiply-accumulates of one call, and the factor that may be a weight: None where both are activations."""

    macs: int
    weight: Tensor | None = None


@dataclass(frozen=True)
class Operator:
    """One operator.

    Args:
        name: as ATen calls it, without the underscore of the variant that writes into its input.
        kind: see `Kind`.
        activation: whether it is a non-linearity between layers, under its name in `torch.nn.functional`, too.
        multiplied: for ``(output, *arguments)`` of a call, what it multiplies; None where it multiplies nothing.
    """

    name: str
    kind: Kind
    activation: bool = False
    multiplied: Callable[..., Multiplied] | None = None

    @property
    def keeps_values(self) -> bool:
        """Whether the output has the input's entries in their order, where it has its shape."""
        return self.kind in (Kind.SAME, Kind.RESHAPE) or self.name == "expand"

    @property
    def strided(self) -> bool:
        """Whether the output is the input with other strides, so that an axis of stride 0 is still one."""
        return self.kind in (Kind.SAME, Kind.TURN)


def _convolved(out: Tensor, x: Tensor, weight: Tensor, *rest: Any) -> Multiplied:
    grid = x if rest[4] else out  # transposed: where the kernel is applied
    return Multiplied(grid.shape[0] * prod(grid.shape[2:]) * weight.numel(), weight)


def _matrices(out: Tensor, a: Tensor, b: Tensor, *rest: Any) -> Multiplied:
    return Multiplied(a.numel() * b.shape[1], b)


def _batched_matrices(out: Tensor, a: Tensor, b: Tensor, *rest: Any) -> Multiplied:
    return Multiplied(a.numel() * b.shape[2])


def _linear(out: Tensor, x: Tensor, weight: Tensor, *rest: Any) -> Multiplied:
    return Multiplied(x.numel() * weight.shape[0], weight)


def _attention(out: Any, q: Tensor, k: Tensor, v: Tensor, *rest: Any) -> Multiplied:
    return Multiplied(prod(q.shape[:-1]) * k.shape[-2] * (q.shape[-1] + v.shape[-1]))


OPERATORS: dict[str, Operator] = {}
ATTENTION, VARIANTS = "scaled_dot_product_attention", "_scaled_dot_product"  # the latter: how their names begin


def _declare(kind: Kind, names: str, **facts: Any) -> None:
    OPERATORS.update({name: Operator(name, kind, **facts) for name in names.split()})


_declare(Kind.SAME, "alias clone contiguous detach lift_fresh _to_copy")
_declare(Kind.RESHAPE, "reshape view _reshape_alias _unsafe_view")
_declare(Kind.TURN, "expand permute select squeeze t transpose unbind unsqueeze")
_declare(Kind.SPLIT, "chunk split split_with_sizes")
_declare(Kind.CHOOSE, "index index_select")
_declare(
    Kind.MOVE,
    "channel_shuffle flatten flip movedim narrow native_channel_shuffle pixel_shuffle pixel_unshuffle repeat roll "
    "slice unflatten",
)
_declare(Kind.GLU, "glu")
_declare(Kind.ROI_ALIGN, "roi_align")
_declare(Kind.CAT, "cat")
_declare(Kind.STACK, "stack")
_declare(Kind.WRITE, "copy fill zero")
_declare(
    Kind.ENTRYWISE,
    "elu gelu hardsigmoid hardswish hardtanh leaky_relu mish relu relu6 sigmoid silu softplus tanh",
    activation=True,
)
_declare(
    Kind.ENTRYWISE,
    "_prelu_kernel abs add addcdiv addcmul bernoulli clamp clamp_max clamp_min cos div dropout empty_like eq erf exp "
    "full_like ge gt le lerp log lt masked_fill maximum minimum mul native_dropout ne neg ones_like pow prelu "
    "rand_like randn_like reciprocal rsqrt rsub sin sqrt square sub threshold where zeros_like",
)
_declare(
    Kind.POOL,
    "_adaptive_avg_pool2d _adaptive_avg_pool3d _upsample_bilinear2d_aa adaptive_avg_pool2d adaptive_max_pool2d "
    "avg_pool1d avg_pool2d avg_pool3d constant_pad_nd max_pool1d max_pool2d_with_indices max_pool3d_with_indices "
    "reflection_pad2d replication_pad2d upsample_bicubic2d upsample_bilinear2d upsample_nearest2d",
)
_declare(Kind.AVERAGE, "amax amin logsumexp max mean min std var var_mean")
_declare(Kind.ADD_UP, "linalg_vector_norm sum")
_declare(Kind.DECIDE, "all any argmax prod")
_declare(Kind.SOFTMAX, "_log_softmax _safe_softmax _softmax log_softmax softmax")
_declare(
    Kind.BATCH_NORM,
    "_batch_norm_no_update _batch_norm_with_update _native_batch_norm_legit _native_batch_norm_legit_no_training "
    "cudnn_batch_norm native_batch_norm",
)
_declare(Kind.LAYER_NORM, "native_layer_norm")
_declare(Kind.GROUP_NORM, "native_group_norm")
_declare(Kind.CONVOLUTION, "_convolution convolution", multiplied=_convolved)
_declare(Kind.CONVOLUTION, "cudnn_convolution mkldnn_convolution")
_declare(Kind.MATMUL, "mm", multiplied=_matrices)
_declare(Kind.MATMUL, "bmm", multiplied=_batched_matrices)
_declare(Kind.ADDED_MATMUL, "addmm", multiplied=lambda out, bias, *factors: _matrices(out, *factors))
_declare(Kind.BATCHED_ADDED_MATMUL, "baddbmm", multiplied=lambda out, added, *factors: _batched_matrices(out, *factors))
_declare(Kind.LINEAR, "linear", multiplied=_linear)
_declare(Kind.EMBEDDING, "embedding")
_declare(Kind.ATTENTION, ATTENTION, multiplied=_attention)
_declare(Kind.HARMLESS, "_local_scalar_dense as_strided is_pinned new_empty new_full new_ones new_zeros sym_size")
_declare(Kind.LOOK, "resolve_conj resolve_neg")

ADD, LIFT_FRESH, TRANSPOSE = (OPERATORS[name] for name in ("add", "lift_fresh", "t"))
ACTIVATIONS = frozenset(name for name, operator in OPERATORS.items() if operator.activation)


@cache
def operator_of(func: Any) -> Operator:
    """What is known of an operator as a dispatch mode sees it; one that is not in the table is of an unknown kind."""
    name = operator_name(func)
    name = ATTENTION if name.startswith(VARIANTS) else name
    return OPERATORS.get(name, Operator(name, Kind.UNKNOWN))


def operator_name(func: Any) -> str:
    """What an operator is called, whether it writes into its input or not."""
    name = func.overloadpacket.__name__
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name
