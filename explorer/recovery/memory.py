"""What a training keeps after every epoch, so that an interrupted one can go on."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor


@dataclass(frozen=True)
class Reached:
    """How far a training is after one of its epochs.

    Args:
        epoch: its number, from 1.
        values: what is known of the epochs so far, in JSON's types.
        tensors: by ``part/name``: the weights, those of the best epoch where it is another, what the optimiser
            remembers, and the states of the random generators.
    """

    epoch: int
    values: dict[str, Any]
    tensors: dict[str, Tensor] = field(repr=False)

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors of a part, without its name."""
        return {key[len(name) + 1 :]: tensor for key, tensor in self.tensors.items() if key.startswith(f"{name}/")}


class Memory(Protocol):
    """Where a training keeps how far it is; the last epoch is all that is needed."""

    def recall(self) -> Reached | None:
        """What an interrupted training had reached; None where there was none."""
        ...

    def keep(self, reached: Reached) -> None:
        """Keeps it in place of what was kept before."""
        ...
