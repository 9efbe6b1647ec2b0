"""What every kind of operator does to the channels that reach it.

A rule reads the labels of its inputs from the tracing and sets those of its outputs, writing into the ledger what gets
tied, read or frozen.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

from explorer.errors import one_line
from explorer.structure import (
    rules_entrywise,
    rules_kernels,
    rules_mixed,
    rules_positions,
    rules_products,
    rules_recurrent,
    rules_statistics,
    rules_views,
    rules_weights,
    rules_writes,
)
from explorer.structure.operators import Kind, Operator
from explorer.structure.tracing import Tracing

Rule = Callable[[Tracing, Operator, tuple, dict, Any], None]


def ignore(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """Nothing that has channels comes out."""


def refuse(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """Nobody knows where the channels go, so they can't leave."""
    tracing.freeze_all((args, kwargs), f"the operator {operator.name}")


RULES: dict[Kind, Rule] = {
    Kind.SAME: rules_views.move,
    Kind.RESHAPE: rules_views.move,
    Kind.TURN: rules_views.move,
    Kind.SPLIT: rules_views.move,
    Kind.CHOOSE: rules_views.move,
    Kind.MOVE: rules_views.move,
    Kind.GLU: rules_views.glu,
    Kind.UNFOLD: rules_positions.unfold,
    Kind.FOLD: rules_positions.fold,
    Kind.SAMPLE: rules_positions.sample,
    Kind.UNPOOL: rules_positions.unpool,
    Kind.SCATTER: rules_positions.scatter,
    Kind.ACT_ALONG: rules_positions.act_along,
    Kind.DEFORMED: rules_positions.deformed,
    Kind.ROI_ALIGN: rules_views.roi_align,
    Kind.PACK: rules_views.pack,
    Kind.CAT: rules_views.cat,
    Kind.PAD: rules_views.pad,
    Kind.STACK: rules_views.stack,
    Kind.WRITE: rules_writes.overwrite,
    Kind.ENTRYWISE: rules_entrywise.entrywise,
    Kind.POOL: rules_statistics.pool,
    Kind.AVERAGE: rules_statistics.reduce,
    Kind.ADD_UP: rules_statistics.reduce,
    Kind.DECIDE: rules_statistics.reduce,
    Kind.SOFTMAX: rules_statistics.softmax,
    Kind.BATCH_NORM: rules_statistics.batch_norm,
    Kind.LAYER_NORM: rules_statistics.layer_norm,
    Kind.GROUP_NORM: rules_statistics.group_norm,
    Kind.MATCHED: rules_kernels.matched,
    Kind.WEIGHT_NORM: rules_kernels.weight_norm,
    Kind.CONVOLUTION: rules_weights.convolution,
    Kind.MATMUL: rules_products.matmul,
    Kind.ADDED_MATMUL: rules_products.added_matmul,
    Kind.BATCHED_ADDED_MATMUL: rules_products.batched_added_matmul,
    Kind.GROUPED_MATMUL: rules_products.grouped_matmul,
    Kind.LINEAR: rules_products.linear,
    Kind.EMBEDDING: rules_weights.embedding,
    Kind.ATTENTION: rules_products.attention,
    Kind.RECURRENT: rules_recurrent.recurrent,
    Kind.STEP: rules_recurrent.step,
    Kind.HARMLESS: ignore,
    Kind.LOOK: refuse,
    Kind.UNKNOWN: refuse,
}


def apply(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """Carry channels through one operator; one without a rule, or whose rule fails, freezes what reaches it."""
    if isinstance(out, Tensor) and not out.numel():
        return  # no entries, no channels: an expert that no token goes to
    booked = len(tracing.ledger.contractions)
    try:
        RULES[operator.kind](tracing, operator, args, kwargs, out)
        rules_mixed.follow(tracing, operator, args, kwargs, out)
    except Exception as error:  # a rule that meets what it does not expect must not end the analysis
        del tracing.ledger.contractions[booked:]
        tracing.freeze_all((args, kwargs), f"the rule for {operator.name} failed ({one_line(error)})")
        for tensor in tree_leaves(out):
            tracing.forget(tensor)
