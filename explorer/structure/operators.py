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
    UNFOLD = auto()  # images into windows
    FOLD = auto()  # back again
    ROI_ALIGN = auto()
    SAMPLE = auto()  # entries are looked up at coordinates
    UNPOOL = auto()
    PACK = auto()  # sequences of several lengths
    CAT = auto()
    PAD = auto()  # with a constant
    STACK = auto()
    WRITE = auto()  # into a tensor that exists
    SCATTER = auto()  # into places of it that are chosen
    # Operators that compute.
    ENTRYWISE = auto()
    ACT_ALONG = auto()  # an axis, whose entries depend on one another
    POOL = auto()  # over positions: the last axes
    AVERAGE = auto()  # a statistic in which zeros count
    ADD_UP = auto()  # a statistic to which zeros add nothing
    DECIDE = auto()  # a statistic that a single entry decides
    SOFTMAX = auto()
    BATCH_NORM = auto()
    LAYER_NORM = auto()
    GROUP_NORM = auto()
    WEIGHT_NORM = auto()  # of a parameter
    MATCHED = auto()  # with a vector, to sum products
    # Products.
    CONVOLUTION = auto()
    DEFORMED = auto()  # a convolution whose taps lie where another tensor says
    MATMUL = auto()
    ADDED_MATMUL = auto()  # a matrix product and the bias of a layer
    BATCHED_ADDED_MATMUL = auto()  # a batch of matrix products and what is added to them
    GROUPED_MATMUL = auto()  # of every row with the matrix of its group
    LINEAR = auto()
    EMBEDDING = auto()
    ATTENTION = auto()
    RECURRENT = auto()  # a layer over a whole sequence
    STEP = auto()  # one step of such a layer
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
    def strided(self) -> bool:
        """Whether the output is the input with other strides, so that an axis of stride 0 is still one."""
        return self.kind in (Kind.SAME, Kind.TURN)


def _convolved(out: Tensor, x: Tensor, weight: Tensor, *rest: Any) -> Multiplied:
    grid = x if rest[4] else out  # transposed: where the kernel is applied
    return Multiplied(grid.shape[0] * prod(grid.shape[2:]) * weight.numel(), weight)


def _deformed(out: Tensor, x: Tensor, weight: Tensor, *rest: Any) -> Multiplied:
    return Multiplied(out.shape[0] * prod(out.shape[2:]) * weight.numel(), weight)


def _matrices(out: Tensor, a: Tensor, b: Tensor, *rest: Any) -> Multiplied:
    return Multiplied(a.numel() * b.shape[1], b)


def _batched_matrices(out: Tensor, a: Tensor, b: Tensor, *rest: Any) -> Multiplied:
    return Multiplied(a.numel() * b.shape[2])


def _grouped(out: Tensor, a: Tensor, b: Tensor, *rest: Any) -> Multiplied:
    return Multiplied(a.numel() * b.shape[-1])


def _linear(out: Tensor, x: Tensor, weight: Tensor, *rest: Any) -> Multiplied:
    return Multiplied(x.numel() * weight.shape[0], weight)


def _attention(out: Any, q: Tensor, k: Tensor, v: Tensor, *rest: Any) -> Multiplied:
    return Multiplied(prod(q.shape[:-1]) * k.shape[-2] * (q.shape[-1] + v.shape[-1]))


def _recurred(out: Any, x: Tensor, *rest: Any) -> Multiplied:
    weights = rest[2] if isinstance(rest[1], Tensor) else rest[1]  # packed, the sizes of its batches come before
    return Multiplied(prod(x.shape[:-1]) * sum(weight.numel() for weight in weights if weight.dim() == 2))


def _stepped(out: Any, x: Tensor, state: Any, read: Tensor, fed: Tensor, *biases: Any) -> Multiplied:
    return Multiplied(prod(x.shape[:-1]) * (read.numel() + fed.numel()))


OPERATORS: dict[str, Operator] = {}
ATTENTION, VARIANTS = "scaled_dot_product_attention", "_scaled_dot_product"  # the latter: how their names begin


def _declare(kind: Kind, names: str, **facts: Any) -> None:
    OPERATORS.update({name: Operator(name, kind, **facts) for name in names.split()})


_declare(Kind.SAME, "_conj alias clone contiguous detach lift_fresh _to_copy")
_declare(Kind.RESHAPE, "reshape view _reshape_alias _unsafe_view")
_declare(Kind.TURN, "expand permute select squeeze t transpose unbind unfold unsqueeze")
_declare(Kind.SPLIT, "chunk split split_with_sizes unsafe_chunk unsafe_split unsafe_split_with_sizes")
_declare(Kind.CHOOSE, "index index_select")
_declare(
    Kind.MOVE,
    "channel_shuffle flatten flip movedim narrow native_channel_shuffle pixel_shuffle pixel_unshuffle repeat roll "
    "slice unflatten",
)
_declare(Kind.MOVE, "view_as_complex view_as_real")
_declare(Kind.GLU, "glu")
_declare(Kind.UNFOLD, "im2col")
_declare(Kind.FOLD, "col2im")
_declare(Kind.ROI_ALIGN, "roi_align")
_declare(Kind.PACK, "_pack_padded_sequence")
_declare(Kind.CAT, "cat")
_declare(Kind.PAD, "constant_pad_nd")
_declare(Kind.STACK, "stack")
_declare(Kind.SAMPLE, "grid_sampler_2d grid_sampler_3d")
_declare(Kind.UNPOOL, "max_unpool2d max_unpool3d")
_declare(Kind.SCATTER, "index_add index_copy index_put index_reduce scatter scatter_add scatter_reduce")
_declare(Kind.WRITE, "copy fill zero")
_declare(
    Kind.ENTRYWISE,
    "celu elu gelu hardshrink hardsigmoid hardswish hardtanh leaky_relu mish relu relu6 selu sigmoid silu softplus "
    "softshrink tanh",
    activation=True,
)
_declare(
    Kind.ENTRYWISE,
    "_prelu_kernel abs acos add addcdiv addcmul angle asin atan atan2 bernoulli bitwise_and bitwise_not bitwise_or "
    "ceil clamp clamp_max clamp_min complex conj_physical cos cosh div dropout empty_like eq erf erfc exp exp2 expm1 "
    "floor fmod frac full_like ge gt isinf isnan le lerp log log10 log1p log2 log_sigmoid_forward logaddexp "
    "logical_and logical_not logical_or logit lt masked_fill maximum minimum mul nan_to_num native_dropout ne neg "
    "ones_like polar pow prelu rand_like randn_like reciprocal remainder round rsqrt rsub sign sin sinc sinh sqrt "
    "square sub tan threshold trunc where xlogy zeros_like",
)
_declare(
    Kind.POOL,
    "_adaptive_avg_pool2d _adaptive_avg_pool3d _upsample_bicubic2d_aa _upsample_bilinear2d_aa "
    "_upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d adaptive_avg_pool2d "
    "adaptive_max_pool2d adaptive_max_pool3d avg_pool1d avg_pool2d avg_pool3d fractional_max_pool2d max_pool1d "
    "max_pool2d_with_indices max_pool3d_with_indices reflection_pad1d reflection_pad2d reflection_pad3d "
    "replication_pad1d replication_pad2d replication_pad3d upsample_bicubic2d upsample_bilinear2d upsample_linear1d "
    "upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_trilinear3d",
)
_declare(
    Kind.ACT_ALONG,
    "_fft_c2c _fft_c2r _fft_r2c cummax cummin cumprod cumsum gather logcumsumexp sort topk tril triu",
)
_declare(Kind.AVERAGE, "amax amin logsumexp max mean min std var var_mean")
_declare(Kind.ADD_UP, "linalg_vector_norm norm sum")
_declare(Kind.DECIDE, "all any argmax prod")
_declare(Kind.SOFTMAX, "_log_softmax _safe_softmax _softmax log_softmax softmax")
_declare(
    Kind.BATCH_NORM,
    "_batch_norm_no_update _batch_norm_with_update _native_batch_norm_legit _native_batch_norm_legit_no_training "
    "cudnn_batch_norm native_batch_norm",
)
_declare(Kind.LAYER_NORM, "_fused_rms_norm native_layer_norm")
_declare(Kind.GROUP_NORM, "native_group_norm")
_declare(Kind.MATCHED, "dot mv vdot")
_declare(Kind.WEIGHT_NORM, "_weight_norm_interface")
_declare(Kind.CONVOLUTION, "_convolution convolution", multiplied=_convolved)
_declare(Kind.CONVOLUTION, "cudnn_convolution mkldnn_convolution")
_declare(Kind.DEFORMED, "deform_conv2d", multiplied=_deformed)
_declare(Kind.MATMUL, "mm", multiplied=_matrices)
_declare(Kind.MATMUL, "bmm", multiplied=_batched_matrices)
_declare(Kind.ADDED_MATMUL, "addmm", multiplied=lambda out, bias, *factors: _matrices(out, *factors))
_declare(Kind.BATCHED_ADDED_MATMUL, "baddbmm", multiplied=lambda out, added, *factors: _batched_matrices(out, *factors))
_declare(Kind.GROUPED_MATMUL, "_grouped_mm grouped_mm_fallback", multiplied=_grouped)
_declare(Kind.LINEAR, "linear", multiplied=_linear)
_declare(Kind.EMBEDDING, "_embedding_bag _embedding_bag_forward_only embedding")
_declare(Kind.ATTENTION, ATTENTION, multiplied=_attention)
_declare(Kind.RECURRENT, "lstm gru rnn_tanh rnn_relu", multiplied=_recurred)
_declare(Kind.STEP, "lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell", multiplied=_stepped)
_declare(Kind.HARMLESS, "_local_scalar_dense as_strided is_pinned new_empty new_full new_ones new_zeros sym_size")
_declare(Kind.LOOK, "resolve_conj resolve_neg")

ADD, LIFT_FRESH, TRANSPOSE = (OPERATORS[name] for name in ("add", "lift_fresh", "t"))
SCALES = (OPERATORS["mul"], OPERATORS["div"])
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
