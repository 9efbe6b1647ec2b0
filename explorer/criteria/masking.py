"""The criterion of SPvR: what masking a set of similar channels does to the network's softmax."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
import torch
from torch import Tensor, nn

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gauges import UNSEEN, Gauge, Inputs, Sums, observe, places
from explorer.criteria.tools.masked_passes import MOST, MaskedPasses, Task, straightforward
from explorer.criteria.tools.members import MEMBERS, Part, combine
from explorer.criteria.tools.numbers import to_float64, to_numpy
from explorer.criteria.tools.registry import criterion
from explorer.criteria.tools.segments import Place
from explorer.device import BatchSize
from explorer.errors import ExplorerError
from explorer.progress import part
from explorer.registry import Choice
from explorer.structure import Group, Member, Structure

SIZE = Choice("2", ("1", "2", "4", "8", "16", "32", "64"), "how many similar units are masked at once")
MASKED = Choice(
    "activation",
    ("activation", "weights"),
    "what a mask sets to zero: the channels behind norm and non-linearity, as if they had left, or literally the "
    "weights that make them, so that biases and the shift of batch norm still pass",
)
PER = Choice(
    "set", ("set", "unit"), "whether a set's importance counts as it is, or divided by the number of its units"
)
COUPLING = Choice(
    "groups",
    ("groups", "stages"),
    "what loses units together: coupled groups, a unit with all its layers; or all layers of a residual stage, "
    "whose widths shrink as one while each loses its own least important sets, as in the paper: for networks that are "
    "trained again from their beginning",
)
_GROUPING = 0.02  # of the work, the pass that finds similar units
_CONSTANT = 1e-12  # of its squared mean: the variance of what does not vary in single precision
_SILENT = {"sigmoid", "softplus", "hardsigmoid"}  # of zero they don't make zero, of minus infinity they do


def softmax_change(before: Tensor, after: Tensor) -> Tensor:
    """``1[argmax p′ ≠ argmax p] + |p_q − p′_q|`` with q = argmax p: SPvR's ranking function.

    Args:
        before: probabilities p of the whole network, (samples, classes) or (samples, classes, …) with positions.
        after: p′, those with channels masked.

    Returns:
        one value for each sample, the sum over its positions; each of these is in [0, 2].
    """
    top = before.argmax(1, keepdim=True)
    moved = (before.gather(1, top) - after.gather(1, top)).abs()
    return ((after.argmax(1, keepdim=True) != top) + moved).flatten(1).sum(1)


def correlations(count: int, sums: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Pearson's correlation of m columns from ``Σ s`` (m,) and ``Σ s·sᵀ`` (m, m) over `count` rows.

    NaN for columns that are constant.
    """
    means = sums / count
    covariances = products / count - np.outer(means, means)
    variances = np.diag(covariances)
    deviations = np.where(variances > _CONSTANT * means**2, np.sqrt(np.maximum(variances, 0)), np.nan)
    return covariances / np.outer(deviations, deviations)


def similar_sets(correlation: np.ndarray, size: int) -> list[np.ndarray]:
    """SPvR's Algorithm 1: sets of at most `size` channels, each the first one left with those that correlate most.

    Correlation is signed. Channels that are constant correlate with nothing: they are one set of their own, the first.

    Args:
        correlation: (channels, channels), NaN for constant channels.

    Returns:
        the channels of each set, ascending.
    """
    constant = np.isnan(np.diag(correlation))
    sets = [np.flatnonzero(constant)] if constant.any() else []
    left = ~constant
    for channel in range(len(correlation)):
        if left[channel]:
            others = np.flatnonzero(left)
            others = others[others != channel]
            nearest = others[np.argsort(-correlation[channel, others], kind="stable")[: size - 1]]
            sets.append(np.sort([channel, *nearest]))
            left[sets[-1]] = False
    return sets


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer that makes units of a group, or the place where heads show.

    Args:
        group: by name.
        gauge: sees the layer's channels.
        member: says which unit a channel belongs to.
        units: that it holds, ascending.
    """

    group: str
    gauge: Gauge
    member: Member
    units: np.ndarray

    def channels(self, units: Sequence[int] | np.ndarray) -> np.ndarray:
        """Where the units lie on the gauge's axis."""
        return np.flatnonzero(np.isin(self.member.units, units))


@dataclass(frozen=True, eq=False)
class Ranked:
    """A layer's sets of units, and the importance of each."""

    layer: Layer
    sets: list[np.ndarray]
    importance: np.ndarray

    def part(self, group: Group, per: str) -> Part:
        """The importance of every unit: that of its set."""
        values, holds = np.zeros(group.units), np.zeros(group.units, dtype=bool)
        for units, importance in zip(self.sets, self.importance, strict=True):
            values[units], holds[units] = importance / (len(units) if per == "unit" else 1), True
        return Part(values, holds)


@criterion(
    "masking",
    title="Masked softmax change",
    needs={"inputs"},
    cost="1 forward + what lies behind each set of channels",
    forwards=1.0,
    forwards_per_unit=0.15,  # sets of two, behind each on average less than half of the work
    reference="Structured Pruning via Ranking (SPvR)",
    explanation="Masks sets of channels that respond alike, one set after the other, and watches the softmax: how "
    "often the predicted class changes, and by how much its probability moves. Sees the network's true answer to a "
    "removal where other criteria estimate it, and takes the longest.",
    settings={"size": SIZE, "masked": MASKED, "per": PER, "coupling": COUPLING, "members": MEMBERS},
)
def masking(
    context: Context,
    *,
    size: str = "2",
    masked: str = "activation",
    per: str = "set",
    coupling: str = "groups",
    members: str = "mean",
) -> dict[str, np.ndarray | str]:
    """``mean_k softmax_change(p(x_k), p′(x_k))`` of each unit's set, `similar_sets` of the units of one layer.

    What correlates are activations after norm and non-linearity: of features their values, of maps and tokens
    ``Σ_positions |a|``. A unit that several layers make has a set in each; `members` says how their importances
    become one. With ``coupling="stages"`` all layers of a residual stage shrink together: see `in_step`.

    Raises:
        ExplorerError: the network gives something else than classes.
    """
    ranked = rank(context, int(size), masked)
    parts: dict[str, list[Part]] = {name: [] for name in context.structure.groups}
    for each in ranked:
        parts[each.layer.group].append(each.part(context.structure.groups[each.layer.group], per))
    if coupling == "stages":
        return in_step(context.structure, parts, int(size))
    return {name: combine(known, members) if known else UNSEEN for name, known in parts.items()}


def rank(
    context: Context, size: int, masked: str = "activation", *, reuse: bool = True, masks: int = MOST
) -> list[Ranked]:
    """The sets of all layers and their importance, means over the calibration samples.

    Args:
        context: with module, structure and data.
        size: how many similar units are masked at once.
        masked: what a mask sets to zero: "activation" or "weights".
        reuse: without it every mask takes a whole pass, which gives the same but for rounding.
        masks: the most that go through one pass; fewer where the device runs out of memory.
    """
    layers = _layers(context)
    sets = _sets(context, layers, size)
    layers = [layer for layer in layers if layer in sets]
    tasks = [_task(context, layer, sets[layer], masked) for layer in layers]
    passes = MaskedPasses(context.module, tasks)
    totals = [np.zeros(len(task.sets)) for task in tasks]
    count, number = 0, sum(len(task.sets) for task in tasks)
    rows = BatchSize(min(context.batch.size, len(context.examples)) * masks)  # of a pass: masks times inputs
    for images, _ in context.batches(_GROUPING, 1.0):

        def work(size: int, images: Tensor = images, done: int = count) -> list[np.ndarray]:
            changes = [np.zeros_like(total) for total in totals]
            for (inputs,) in context.chunks(min(size, context.batch.size), images):
                before, passed = _probabilities(context.module(inputs.clone())), 0
                together = min(masks, size // len(inputs))
                outputs = passes(inputs, together) if reuse else _plain(context.module, inputs, tasks)
                for task, which, logits in outputs:
                    changes[task][which] += _changes(before, logits, len(which))
                    passed += len(which)
                    done_here = done + len(inputs) * passed / number
                    slow = f", each by a whole pass: {passes.refused}" if passes.refused else ""
                    context.report(
                        _GROUPING + (1 - _GROUPING) * min(1.0, done_here / len(context.examples)),
                        f"masked {passed} of {number} sets{slow}",
                    )
                done += len(inputs)
            return changes

        with torch.inference_mode():
            for total, more in zip(totals, rows.retry(work), strict=True):
                total += more
        count += len(images)
    return [Ranked(layer, sets[layer], total / count) for layer, total in zip(layers, totals, strict=True)]


def in_step(structure: Structure, parts: Mapping[str, Sequence[Part]], size: int) -> dict[str, np.ndarray | str]:
    """Scores under which all layers of a stage shrink together, each losing its own least important units first.

    When a set leaves one layer, the least important of those that are left leave every other layer of the stage: the
    k-th `size` units to leave have one score, the least that any of the layers has for its k-th. Where widths differ,
    as in bottlenecks, as large a share of each leaves. A group that several layers make loses the units of the first:
    the weights are no longer those that were ranked, so only their number matters.

    Args:
        parts: what each layer says of its group's units.
    """
    scores: dict[str, np.ndarray | str] = {}
    for stage in stages(structure):
        layers = [np.sort(part.values[part.holds]) for name in stage for part in parts[name]]
        base = min(structure.groups[name].units for name in stage)
        shares = np.arange(0, base, size) / base
        least = [min(values[ceil(share * len(values))] for values in layers) for share in shares] if layers else []
        for name in stage:
            own = combine(parts[name], "first") if parts[name] else UNSEEN
            scores[name] = own
            if not isinstance(own, str):
                step = np.arange(len(own)) * base // (len(own) * size)
                scores[name] = alike = np.empty(len(own))
                alike[np.argsort(own, kind="stable")] = np.array(least)[step]
    return scores


def stages(structure: Structure) -> list[tuple[str, ...]]:
    """The groups whose widths are one: a residual stream and the convolutions inside the blocks that add to it.

    Such a convolution leads to that stream alone, from the stream itself or from where a shortcut to it begins. Every
    other group is alone.
    """
    made_by = _names_of(structure, "producer")
    read_by = _names_of(structure, "consumer")
    after = {n: {m for m, tensors in made_by.items() if tensors & read_by[n]} for n in structure.groups}
    before = {n: {m for m, others in after.items() if n in others} for n in structure.groups}
    streams = {name: [name] for name, group in structure.groups.items() if group.kind == "stream"}
    alone = []
    for name, group in structure.groups.items():
        if group.kind == "stream":
            continue
        ends = _reached(name, after, streams).intersection(streams)
        origins = _reached(name, before, streams)
        if group.kind == "conv" and len(ends) == 1 and any(ends <= {other, *after[other]} for other in origins):
            streams[ends.pop()].append(name)
        else:
            alone.append((name,))
    return [*map(tuple, streams.values()), *alone]


def _names_of(structure: Structure, role: str) -> dict[str, set[str]]:
    return {name: {member.tensor for member in group.of_role(role)} for name, group in structure.groups.items()}


def _reached(name: str, neighbours: Mapping[str, set[str]], ends: Collection[str]) -> set[str]:
    """The groups on the ways from one, each way up to the first of the ends."""
    reached: set[str] = set()
    ahead = [name]
    while ahead:
        new = neighbours[ahead.pop()] - reached
        reached |= new
        ahead += new.difference(ends)
    return reached


def _layers(context: Context) -> list[Layer]:
    return [
        Layer(name, gauge, member, np.unique(member.units[member.units >= 0]))
        for name, group in context.structure.groups.items()
        for gauge, member in places(group, context.module)
    ]


def _sets(context: Context, layers: Sequence[Layer], size: int) -> dict[Layer, list[np.ndarray]]:
    """The sets of each layer that inputs pass."""

    def see(gauge: Gauge, activation: Tensor, _inputs: Inputs) -> Sums[str]:
        values = to_float64(activation if activation.ndim == 2 else activation.abs().flatten(2).sum(2))
        return {"count": torch.tensor(len(values)), "sums": values.sum(0), "products": values.T @ values}

    start = replace(context, report=part(context.report, 0.0, _GROUPING))
    seen = observe(start, {layer.gauge for layer in layers}, see)
    sets = {}
    for layer in layers:
        if layer.gauge in seen:
            sums = seen[layer.gauge]
            owns = (layer.member.units == layer.units[:, None]).astype(np.float64)  # (units, channels)
            products = owns @ to_numpy(sums["products"]) @ owns.T
            correlation = correlations(int(sums["count"]), owns @ to_numpy(sums["sums"]), products)
            sets[layer] = [layer.units[places] for places in similar_sets(correlation, size)]
    return sets


def _task(context: Context, layer: Layer, sets: Sequence[np.ndarray], masked: str) -> Task:
    gauge = layer.gauge
    fill: Tensor | float = -torch.inf if gauge.activation in _SILENT else 0.0
    if masked == "weights" and not gauge.at_input:
        fill = _shift(context.module, gauge.module, layer.member.tensor.rpartition(".")[0])
    place = Place(gauge.module, gauge.axis, fill, gauge.at_input)
    return Task(place, [torch.from_numpy(layer.channels(units)).to(context.device) for units in sets])


def _shift(module: nn.Module, seen: str, maker: str) -> Tensor | float:
    """What the module `seen`, a layer or the batch norm behind it, gives where the layer's weights are zero."""
    own: Tensor | None = getattr(module.get_submodule(maker), "bias", None)
    made = own.detach() if isinstance(own, Tensor) else 0.0
    norm = module.get_submodule(seen)  # of PyTorch, or a frozen one of a library: what counts is what it holds
    mean: Tensor | None = getattr(norm, "running_mean", None)
    variance: Tensor | None = getattr(norm, "running_var", None)
    if seen == maker or mean is None or variance is None:
        return made
    shift = (made - mean) * (variance + getattr(norm, "eps", 0.0)).rsqrt()
    weight: Tensor | None = getattr(norm, "weight", None)
    bias: Tensor | None = getattr(norm, "bias", None)
    return shift if weight is None or bias is None else (shift * weight + bias).detach()


def _plain(module: nn.Module, inputs: Tensor, tasks: Sequence[Task]) -> Iterator[tuple[int, range, Tensor]]:
    for number, (place, sets) in enumerate(tasks):
        for which, channels in enumerate(sets):
            yield number, range(which, which + 1), straightforward(module, inputs, place, channels)


def _changes(before: Tensor, logits: Tensor, sets: int) -> np.ndarray:
    """The sum of `softmax_change` over the samples for each of the sets, whose logits lie one behind the other."""
    again = before.repeat(sets, *[1] * (before.ndim - 1))
    return to_numpy(softmax_change(again, _probabilities(logits)).view(sets, -1)).sum(1)


def _probabilities(logits: Tensor) -> Tensor:
    if logits.ndim not in (2, 4) or logits.shape[1] < 2:
        raise ExplorerError(
            "criterion masking compares probabilities of classes, and this network gives something else: use another "
            "criterion, such as taylor"
        )
    return logits.float().softmax(1)
