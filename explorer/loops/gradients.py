"""What a schedule does with gradients, just before an optimiser uses them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from explorer.criteria.taylor import Key, SquaredSlopes
from explorer.errors import ExplorerError
from explorer.loops.optimisers import held_by
from explorer.loops.penalty import GroupPenalty


class Gradients:
    """Reads gradients for the criterion `taylor`, and adds a penalty's to them.

    It hears of every step of the optimisers that it watches when gradients are complete, unscaled and clipped and
    weights not yet changed. Where several optimisers share out a network, what each of them has of one mini-batch is
    joined.

    Args:
        slopes: what becomes of the gradients; None where no criterion asks.
        penalty: of the network as it is; None where there is none.
        strength: the penalty's factor at present.
    """

    def __init__(
        self, slopes: SquaredSlopes | None, penalty: GroupPenalty | None, strength: Callable[[], float]
    ) -> None:
        self.slopes, self.penalty = slopes, penalty
        self._strength = strength
        self._waiting: dict[Key, np.ndarray] = {}
        self._handles: list[RemovableHandle] = []

    def watch(self, optimiser: torch.optim.Optimizer) -> None:
        """Hears of its steps from now on, where somebody asks for gradients."""
        if self.slopes is not None or self.penalty is not None:
            self._handles.append(optimiser.register_step_pre_hook(self._before))

    def close(self) -> None:
        """Hears of none any more."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def answers(self) -> dict[str, np.ndarray | str]:
        """Scores by group from what was read since the last cut.

        Raises:
            ExplorerError: nothing was.
        """
        self._join()
        if self.slopes is None or not self.slopes.batches:
            raise ExplorerError(
                "no gradients were seen since the last cut: give the schedule the optimiser whose step() your loop "
                "calls, and at least one step of it before each cut"
            )
        return self.slopes.scores()

    def state(self) -> dict[str, Any] | None:
        """What was read since the last cut, in plain types; None where no criterion asks."""
        self._join()
        if self.slopes is None:
            return None
        totals = {name: total.tolist() for name, total in self.slopes.totals.items()}
        return {"batches": self.slopes.batches, "totals": totals}

    def load(self, state: Mapping[str, Any] | None) -> None:
        """Goes on from what `state` gave."""
        if self.slopes is not None and state is not None:
            self.slopes.batches = state["batches"]
            self.slopes.totals = {name: np.array(values) for name, values in state["totals"].items()}

    def renew(self, slopes: SquaredSlopes | None, penalty: GroupPenalty | None) -> None:
        """Begins anew, after a cut."""
        self.slopes, self.penalty = slopes, penalty
        self._waiting.clear()

    def _before(self, optimiser: torch.optim.Optimizer, args: tuple, kwargs: dict[str, Any]) -> Any:
        """The optimiser's hook; where a closure takes the gradients inside the step, after it."""
        given = args[1:]
        closure = given[0] if given else kwargs.get("closure")
        if closure is None:
            self._see(optimiser)
            return None

        def followed() -> Any:
            loss = closure()
            self._see(optimiser)
            return loss

        return (args[0], followed, *given[1:]), {name: value for name, value in kwargs.items() if name != "closure"}

    @torch.no_grad()
    def _see(self, optimiser: torch.optim.Optimizer) -> None:
        overflown = getattr(optimiser, "found_inf", None)  # of a GradScaler, for optimisers that unscale themselves
        if overflown is not None and bool(overflown):
            return
        scale = getattr(optimiser, "grad_scale", None)
        trained = {id(parameter) for parameter in held_by(optimiser)}
        if self.slopes is not None:
            self._read(self.slopes, trained, scale)
        strength = self._strength()
        if self.penalty is not None and strength > 0:
            self.penalty.add(strength if scale is None else strength * scale, trained)

    def _read(self, slopes: SquaredSlopes, trained: set[int], scale: Tensor | None) -> None:
        weights: dict[str, nn.Parameter] = slopes.weights
        gradients = {
            name: weight.grad if scale is None else weight.grad / scale
            for name, weight in weights.items()
            if id(weight) in trained and weight.grad is not None
        }
        found = slopes.of(gradients)
        if found.keys() & self._waiting.keys():  # the next mini-batch
            self._join()
        self._waiting |= found

    def _join(self) -> None:
        if self.slopes is not None and self._waiting:
            self.slopes.add(self._waiting)
        self._waiting = {}
