"""The criterion that lets units join a network one after the other, in any order."""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.members import maskable
from explorer.criteria.tools.registry import criterion
from explorer.errors import ExplorerError
from explorer.registry import Choice
from explorer.structure.types import Group, Member
from explorer.tasks import model_loss

PERMUTATIONS = Choice("1", ("1", "2", "4", "8", "16", "32"), "orders in which the units of a group join")
TRUNCATION = Choice(
    "0.01",
    ("0", "0.001", "0.01", "0.05"),
    "how close to the whole network's loss, in parts of what the group is worth, an order stops being followed",
)


@criterion(
    "shapley",
    title="Shapley value",
    needs={"inputs", "labels"},
    cost="up to 1 forward per unit and permutation",
    forwards=2.0,
    forwards_per_unit=1.0,
    reference="Ancona et al. 2020, Shapley Value as Principled Metric for Structured Network Pruning (arXiv:2006.01795)"
    "; truncation: Ghorbani and Zou 2020, Neuron Shapley (arXiv:2002.09815)",
    explanation="What a unit adds to the network's answer on average over the orders in which the units of its group "
    "join. It is fair to units that replace one another, and by far the dearest criterion: give few samples.",
    settings={"permutations": PERMUTATIONS, "truncation": TRUNCATION},
)
def shapley(context: Context, *, permutations: str = "1", truncation: str = "0.01") -> dict[str, np.ndarray | str]:
    """``mean over orders of v(S ∪ u) − v(S)``, S the units before u and v minus the mean loss with S alone in place.

    Sampled by captum's `ShapleyValueSampling`, in the same seeded orders for every mini-batch, so that the mean over
    batches is the value of the whole set. All other groups are whole; masked are the weights that read a unit's
    channels. Values of a group add up to what it is worth as a whole. Where v comes within `truncation` of the whole
    group's, an order is left: the unit that joins next gets the rest, and those after it nothing.

    Raises:
        ExplorerError: the labels are boxes, whose loss is no function of one tensor of outputs.
    """
    weights = dict(context.module.named_parameters(remove_duplicate=False))
    games = {name: maskable(group, weights) for name, group in context.structure.groups.items()}
    played = [name for name, members in games.items() if members]
    totals = {name: np.zeros(context.structure.full[name]) for name in played}
    done = 0
    for images, labels in context.batches() if played else ():
        if isinstance(labels, list):
            raise ExplorerError("shapley needs a loss of the network's outputs and boxes have none: use taylor or flow")
        for number, name in enumerate(played):
            share = (done + len(images) * number / len(played)) / len(context.examples)
            context.report(share, f"units of {name} join in {permutations} orders")
            group = context.structure.groups[name]
            game = _Game(context, group, games[name], weights, images, labels, float(truncation))
            totals[name] += game.values(int(permutations)) * len(images)
        done += len(images)
    return {
        name: totals[name] / done if name in totals else "no weights produce or consume its channels"
        for name in context.structure.groups
    }


class _Game:
    """The units of one group on one mini-batch."""

    def __init__(
        self,
        context: Context,
        group: Group,
        members: list[Member],
        weights: Mapping[str, Tensor],
        images: Tensor,
        labels: Any,
        truncation: float,
    ) -> None:
        self._context, self._group, self._members, self._weights = context, group, members, weights
        self._images, self._labels = images, labels
        self._none, self._all = (self.value(torch.full((group.units,), float(whole))) for whole in (0, 1))
        self._close = truncation * abs(self._all - self._none)
        self._last, self._size = self._none, 0

    def values(self, permutations: int) -> np.ndarray:
        """The Shapley value of every unit, float64 (units,)."""
        from captum.attr import ShapleyValueSampling  # slow to import

        inputs = torch.ones(1, self._group.units)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._context.seed + zlib.crc32(self._group.name.encode()))
            shares = ShapleyValueSampling(self._join).attribute(inputs, baselines=0, n_samples=permutations)
        return shares[0].double().numpy()

    def _join(self, present: Tensor) -> Tensor:
        """v of a coalition, which captum enlarges unit by unit: past the truncation it is the whole group's."""
        size = int(present.sum())
        followed = size == self._size + 1 and abs(self._all - self._last) <= self._close and size > 1
        self._last = self._all if followed else self._known(present[0], size)
        self._size = size
        return torch.tensor([self._last], dtype=torch.float64)

    def _known(self, present: Tensor, size: int) -> float:
        if size in (0, self._group.units):
            return self._all if size else self._none
        return self.value(present)

    def value(self, present: Tensor) -> float:
        """Minus the mean loss of the mini-batch with the units that `present`, ones and zeros, names."""
        kept = torch.cat([present, torch.ones(1)]).to(self._context.device)
        masked: dict[str, Tensor] = {}
        for member in self._members:
            tensor = masked.get(member.tensor, self._weights[member.tensor])
            shape = [1] * tensor.ndim
            shape[member.axis] = -1
            scale = kept[torch.as_tensor(member.units, device=kept.device, dtype=torch.int64)]  # −1 is the last: one
            masked[member.tensor] = tensor * scale.view(shape)

        def work(size: int) -> float:
            with torch.no_grad():
                chunks = self._context.chunks(size, self._images, self._labels)
                return sum(float(self._loss(masked, *chunk)) * len(chunk[0]) for chunk in chunks)

        return -self._context.batch.retry(work) / len(self._images)

    def _loss(self, masked: dict[str, Tensor], inputs: Tensor, labels: Any) -> Tensor:
        return model_loss(lambda given: functional_call(self._context.module, masked, (given,)), inputs, labels)
