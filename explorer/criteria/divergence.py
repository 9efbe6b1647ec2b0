"""The criterion of IDAP++, information flow divergence: of single units, and of whole residual blocks."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import takewhile

import numpy as np
import torch
from torch import Tensor, nn

from explorer.batches import Samples
from explorer.criteria.flow import measure
from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gauges import UNSEEN, Inputs, Sums, all_gauges, observe, places
from explorer.criteria.tools.gauges import Gauge as Place
from explorer.criteria.tools.members import MEMBERS, Part, combine, norms, owned, tensor_sums, unit_means
from explorer.criteria.tools.numbers import added, to_numpy
from explorer.criteria.tools.registry import criterion
from explorer.criteria.tools.scoring import opened
from explorer.errors import unknown
from explorer.modules import watching
from explorer.progress import Report, part, silent
from explorer.structure import Structure, mask_module
from explorer.structure.types import Group, Member

BLOCK_ORDERS = ("divergence", "loss")
_EPSILON = 1e-12  # of a norm


@criterion(
    "divergence",
    title="Information flow divergence",
    needs={"inputs"},
    cost="1 forward",
    forwards=1.0,
    reference="IDAP++ (arXiv:2511.20141)",
    explanation="The size of a unit's activation times the length of the weights that make it, divided by how many "
    "entries the layer has, so that large feature maps count no more than small ones. Attention heads are scored "
    "whole: their result times the lengths of their queries', keys' and values' weights.",
    settings={"members": MEMBERS},
    rank=30,
)
def divergence(context: Context, *, members: str = "mean") -> dict[str, np.ndarray | str]:
    """The normalised divergence of every unit, with norms of single inputs, so that it does not grow with the batch.

    - channels and neurons: ``mean_b ‖a_c‖₂ · ‖W_c‖₂ / |Ω|``, a_c the activation after norm and non-linearity and |Ω| =
      C·H·W (of tokens C·n) the entries of one input's activation; this is `flow` with ``scale=chw``;
    - heads: ``mean_b ‖A^h‖_F · (‖W_Q^h‖_F + ‖W_K^h‖_F + ‖W_V^h‖_F) / n``, A^h the head's result for n tokens, as it
      enters the output projection, and W^h the head's own rows. The published code divides the norms of the whole
      matrices by the number of heads.
    """
    structure, tensors = context.structure, context.module.state_dict()
    at = {name: list(places(group, context.module)) for name, group in structure.groups.items()}
    heads = {
        place: (member, group.units)
        for name, group in structure.groups.items()
        if group.kind == "heads"
        for place, member in at[name]
    }

    def see(place: Place, activation: Tensor, _inputs: Inputs) -> Sums[str]:
        whole = {"heads": _unit_norms(activation, *heads[place])} if place in heads else {}
        return {**measure(activation), **whole}

    seen = observe(context, all_gauges(context), see)
    scores: dict[str, np.ndarray | str] = {}
    for name, group in structure.groups.items():
        score = _head_part if group.kind == "heads" else _channel_part
        parts = [score(group, member, seen[place], tensors) for place, member in at[name] if place in seen]
        scores[name] = combine(parts, members) if parts else UNSEEN
    return scores


def _channel_part(group: Group, member: Member, seen: Sums[str], tensors: Mapping[str, Tensor]) -> Part:
    entries = len(seen["norms"]) * int(seen["entries"])  # of all inputs
    values = to_numpy(seen["norms"]) / entries * to_numpy(norms(tensors[member.tensor], member.axis))
    return unit_means(values, member, group.units)


def _head_part(group: Group, member: Member, seen: Sums[str], tensors: Mapping[str, Tensor]) -> Part:
    lengths = _projection_norms(group, member, tensors)
    return Part(to_numpy(seen["heads"]) / int(seen["entries"]) * lengths, np.ones(group.units, dtype=bool))


def _unit_norms(activation: Tensor, member: Member, units: int) -> Tensor:
    """The sum over inputs of every unit's Frobenius norm; the activation is (batch, channels, …)."""
    squares = activation.square().flatten(2).sum(2) if activation.ndim > 2 else activation.square()
    return tensor_sums(squares, member, units).sqrt().sum(0)


def _projection_norms(group: Group, reader: Member, tensors: Mapping[str, Tensor]) -> np.ndarray:
    """Per head the sum of the Frobenius norms of what makes its queries, keys and values.

    One tensor, or two, may hold the three: then a head's rows are in this order, as many of values as `reader`, the
    output projection, reads. Of heads that several attentions share, only the weights nearest to `reader` count.
    """
    makers = [member for member in group.of_role("producer") if tensors[member.tensor].ndim == 2]
    nearness = [_nearness(reader.tensor, member.tensor) for member in makers]
    own = [member for member, near in zip(makers, nearness, strict=True) if near == max(nearness)]
    squares = [to_numpy(norms(tensors[m.tensor], m.axis))[owned(m)] ** 2 for m in own]
    if len(squares) != 3:
        rows, values = np.concatenate(squares, axis=1), int((reader.units >= 0).sum()) // group.units
        inner = (rows.shape[1] - values) // 2
        squares = np.split(rows, [inner, 2 * inner], axis=1)
    return added(np.sqrt(rows.sum(1)) for rows in squares)


def _nearness(one: str, other: str) -> int:
    """How many modules two tensors are both in."""
    pairs = zip(one.split("."), other.split("."), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def block_divergence(
    module: nn.Module,
    structure: Structure,
    data: Samples,
    *,
    by: str = "divergence",
    device: torch.device,
    batch_size: int = 100,
    samples: int | None = None,
    seed: int = 0,
    report: Report = silent,
) -> dict[str, float]:
    """What every residual block does, from the calibration data; the least is the first to go.

    Args:
        module: that has the blocks.
        structure: of the module.
        data: pairs of an input and its label.
        device: on which it computes.
        batch_size: inputs that go through the module at once, fewer where memory is short.
        samples: how many examples are taken from the data, seeded; None: all.
        seed: of that draw.
        report: hears how far it is.
        by: "divergence": the mean over inputs of ``‖F(T)‖₂ / (‖T‖₂ + ε)``, T the block's input and F(T) its output
            less its input; "loss": by how much the mean loss grows when the block is bypassed, which takes
            one pass for every block.

    Raises:
        ExplorerError: `by` is unknown, or even a batch of one does not fit on the device.
    """
    if by not in BLOCK_ORDERS:
        raise unknown("order of blocks", by, BLOCK_ORDERS)
    with opened(
        module, structure, data, device, batch_size=batch_size, samples=samples, seed=seed, report=report
    ) as context:
        return _relative_changes(context) if by == "divergence" else _loss_changes(context)


def _relative_changes(context: Context) -> dict[str, float]:
    totals, counts = dict.fromkeys(context.structure.blocks, 0.0), dict.fromkeys(context.structure.blocks, 0)
    for images, _ in context.batches():

        def work(size: int, images: Tensor = images) -> list[tuple[str, Tensor]]:
            with torch.no_grad(), _watched(context.module, totals) as seen:
                for (inputs,) in context.chunks(size, images):
                    context.module(inputs)
            return seen

        for name, ratios in context.batch.retry(work):
            totals[name] += float(ratios.double().sum())
            counts[name] += len(ratios)
    return {name: total / counts[name] for name, total in totals.items()}


@contextmanager
def _watched(module: nn.Module, blocks: Collection[str]) -> Iterator[list[tuple[str, Tensor]]]:
    """What every pass inside says of the blocks: pairs of a name and a ratio per input, on the processor."""
    seen: list[tuple[str, Tensor]] = []
    given: dict[str, Tensor] = {}

    def enter(name: str, _: nn.Module, args: tuple) -> None:
        given[name] = args[0].clone()  # a block may write into its input

    def leave(name: str, _: nn.Module, __: tuple, out: Tensor | tuple) -> None:
        x, y = given.pop(name).flatten(1), (out[0] if isinstance(out, tuple) else out).flatten(1)
        seen.append((name, ((y - x).norm(dim=1) / (x.norm(dim=1) + _EPSILON)).cpu()))

    entered, left = ({name: partial(hook, name) for name in blocks} for hook in (enter, leave))
    with watching(module, left, before=entered):
        yield seen


def _loss_changes(context: Context) -> dict[str, float]:
    names = list(context.structure.blocks)
    passes = len(names) + 1

    def loss(number: int, module: nn.Module) -> float:
        stage = part(context.report, number / passes, (number + 1) / passes)
        return _mean_loss(replace(context, module=module, report=stage))

    base = loss(0, context.module)
    return {
        name: loss(number, mask_module(context.module, context.structure, {}, [name])) - base
        for number, name in enumerate(names, 1)
    }


def _mean_loss(context: Context) -> float:
    total = 0.0
    for images, labels in context.batches():

        def work(size: int, images: Tensor = images, labels: object = labels) -> float:
            with torch.no_grad():
                chunks = context.sample_chunks(size, images, labels)
                return sum(float(context.loss(inputs, targets)) * len(inputs) for inputs, targets in chunks)

        total += context.batch.retry(work)
    return total / len(context.examples)
