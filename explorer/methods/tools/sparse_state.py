"""A model whose single weights become zero, between two segments of its training."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from explorer.methods.tools.stages import Record
from explorer.pruning.unstructured import Masks


@dataclass(frozen=True)
class State:
    """What a segment hands to the next.

    Args:
        tensors: the model's weights.
        pruned_at: for every weight of a layer the number of the segment that set it to zero, 0 where it stays.
        optimizer: what the optimiser remembers.
    """

    tensors: dict[str, Tensor] = field(repr=False)
    pruned_at: dict[str, Tensor] = field(repr=False)
    optimizer: dict[str, Tensor] = field(default_factory=dict, repr=False)

    @property
    def masks(self) -> Masks:
        """Which weights stay."""
        return {name: at == 0 for name, at in self.pruned_at.items()}

    def pruned(self, masks: Masks, number: int) -> dict[str, Tensor]:
        """`pruned_at` once segment `number` leaves the weights of `masks`: others may have come back."""
        return {
            name: at.masked_fill((at == 0) & ~masks[name], number).masked_fill(masks[name], 0)
            for name, at in self.pruned_at.items()
        }

    def to_record(self, values: dict[str, Any]) -> Record:
        """The record of a segment that ended so, with its values."""
        named = {"weights": self.tensors, "pruned_at": self.pruned_at, "optimizer": self.optimizer}
        return Record(values, {f"{part}/{name}": t for part, tensors in named.items() for name, t in tensors.items()})

    @classmethod
    def of(cls, record: Record, order: Iterable[str]) -> "State":
        """The state in a record; a file forgets in which `order` the masks were, and of equal scores the first go."""
        parts: dict[str, dict[str, Tensor]] = {"weights": {}, "pruned_at": {}, "optimizer": {}}
        for key, tensor in record.tensors.items():
            group, _, name = key.partition("/")
            parts[group][name] = tensor
        return cls(parts["weights"], {name: parts["pruned_at"][name] for name in order}, parts["optimizer"])
