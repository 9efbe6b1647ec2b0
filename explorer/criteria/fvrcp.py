"""The criterion that asks how much of a consumer's output varies with a unit alone."""

import numpy as np
import torch
from torch import Tensor

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gauges import Gauge, Inputs, Sums, observe
from explorer.criteria.tools.members import MEMBERS, Part, combine, owned
from explorer.criteria.tools.numbers import to_float64, to_numpy
from explorer.criteria.tools.readers import UNREAD, by_gauge, oriented, sample
from explorer.criteria.tools.registry import criterion
from explorer.structure.types import Member

NOISE = 1e-10  # of the mean square: a variance below it is rounding


@criterion(
    "fvrcp",
    title="Correlation without the unit (FVRCP)",
    needs={"inputs"},
    cost="2 forwards",
    forwards=2.0,
    reference="Feature Variance Ratio-guided Channel Pruning (ACCV 2020); the formula is reconstructed from its "
    "abstract",
    explanation="How far the outputs of the layers that read a unit lose their correlation with themselves when the "
    "unit is gone. It does not depend on the scale of weights, so that scores of different layers compare; what "
    "shifts outputs by a constant counts for nothing, since batch-norm recalibration mends that.",
    settings={"members": MEMBERS},
    rank=30,
)
def fvrcp(context: Context, *, members: str = "mean") -> dict[str, np.ndarray | str]:
    """``1 − mean over outputs of ρ²(y, y − y_u)``, y_u what unit u adds to a consumer's output y.

    With V the variance of y over inputs and places, V_u that of y_u, and C their covariance,
    ``1 − ρ² = (V·V_u − C²)/(V·(V − 2C + V_u))``. Places are sampled, `readers.SAMPLES` per input; a group's consumers
    are joined by `members`. Outputs that never vary don't count; a unit whose contribution never varies has 0.
    """
    reading = by_gauge(context)

    def measure(gauge: Gauge, activation: Tensor, inputs: Inputs) -> Sums[tuple[str, str]]:
        sums: Sums[tuple[str, str]] = {}
        for tensor, read in reading[gauge].items():
            seen, weights = map(to_float64, sample(context, read[0].reader, activation, inputs.first))
            seen = seen.flatten(0, 1)
            sums |= {(tensor, key): value for key, value in _layer_sums(seen, weights).items()}
            for name, reader in read:
                mine = seen[:, :, owned(reader.member)].flatten(3).movedim(0, -1)  # (groups, units, entries, samples)
                sums[tensor, name] = mine @ mine.mT
        return sums

    parts: dict[str, list[Part]] = {name: [] for name in context.structure.groups}
    for gauge, sums in observe(context, list(reading), measure).items():
        for tensor, read in reading[gauge].items():
            weights = to_float64(oriented(context, read[0].reader))
            mine = {key: value for (of, key), value in sums.items() if of == tensor}
            for name, reader in read:
                parts[name].append(_part(mine, mine[name], weights, reader.member, context.structure.full[name]))
    return {name: combine(known, members) if known else UNREAD for name, known in parts.items()}


def _layer_sums(seen: Tensor, weights: Tensor) -> Sums[str]:
    """Over samples of inputs x (samples, groups, channels, entries), what their moments with outputs y need."""
    outputs = torch.einsum("ngck,gock->ngo", seen, weights)
    return {
        "samples": torch.tensor(len(seen)),
        "x": seen.sum(0),
        "y": outputs.sum(0),
        "yy": outputs.square().sum(0),
        "xy": torch.einsum("ngck,ngo->gcko", seen, outputs),
    }


def _part(sums: Sums[str], squares: Tensor, weights: Tensor, member: Member, units: int) -> Part:
    """The score of every unit at one consumer; see `fvrcp`.

    Args:
        sums: of the layer.
        squares: sums of products of a unit's own entries, (groups, units held, entries, entries).
        weights: (groups, outputs, channels, entries).
    """
    count, entries = int(sums["samples"]), owned(member)
    x, y = sums["x"] / count, sums["y"] / count
    joint = sums["xy"] / count - x[..., None] * y[:, None, None]
    shared = (weights.permute(0, 2, 3, 1) * joint).sum(2)[:, entries].sum(2)  # C: (groups, units held, outputs)
    mine, mean = weights[:, :, entries].flatten(3), x[:, entries].flatten(2)
    own = squares / count - mean[..., None] * mean[..., None, :]
    alone = torch.einsum("gohk,ghkl,gohl->gho", mine, own, mine).clamp(min=0)  # V_u
    total = (sums["yy"] / count - y.square())[:, None]  # V
    varies = total > NOISE * sums["yy"][:, None] / count
    total = total.where(varies, 1)
    without = total - 2 * shared + alone
    lost = (total * alone - shared.square()).clamp(min=0) / (total * without.where(without > NOISE * total, 1))
    lost = lost.where(without > NOISE * total, 1).where(alone > NOISE * total, 0)
    score = (lost * varies).sum((0, 2)) / varies.sum((0, 2)).clamp(min=1)
    values, holds = np.zeros(units), np.zeros(units, dtype=bool)
    held = member.units[entries[:, 0]]
    values[held], holds[held] = to_numpy(score), True
    return Part(values, holds)
