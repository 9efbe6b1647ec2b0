"""Batches on the device that keep intermediate results, and outputs for changed weights that begin at them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from explorer.errors import Cancelled, ExplorerError
from explorer.evaluation.live.checkpoints import choose
from explorer.evaluation.live.recording import UnrepeatableError, record
from explorer.evaluation.live.tape import DivergedError, Tape, Tick, Values, replay
from explorer.structure import Group, Structure

AGREEMENT = 1e-4  # of the largest output; as a mask agrees with its cut
Removed = Mapping[str, Sequence[int]]  # group → units


@dataclass(frozen=True)
class _Way:
    """How batches of one shape are computed: the steps, and those of them at which results are kept."""

    tape: Tape
    keep: tuple[int, ...]


@dataclass
class _Batch:
    """`kept` holds intermediate results by step, all of them right for the plan that removes `removed`."""

    inputs: Tensor
    way: _Way | None = None
    diverged: bool = False
    removed: Removed = field(default_factory=dict)
    kept: dict[int, Values] = field(default_factory=dict)


class Resident:
    """Computes the outputs of masked copies of one model for inputs on the device, batch by batch.

    `refused` says in a sentence why nothing can be reused; empty as long as it can.

    Args:
        inputs: of all samples, on the device.
        size: samples in a batch; the last one may have fewer.
        memory: bytes for intermediate results of all batches.
    """

    def __init__(self, inputs: Tensor, size: int, structure: Structure, memory: int) -> None:
        self.inputs, self.size, self.refused = inputs, size, ""
        self._groups, self._memory = structure.groups, memory
        self._whole = {norm.module for group in structure.groups.values() for norm in group.norms}
        self._batches = [_Batch(part) for part in inputs.split(size)]
        self._ways: dict[torch.Size, _Way] = {}

    @property
    def bytes(self) -> int:
        """Memory of the intermediate results that are kept."""
        kept = [tensor for batch in self._batches for values in batch.kept.values() for tensor in values.values()]
        storages = {tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in kept}
        return sum(storages.values())

    def forget(self) -> None:
        for batch in self._batches:
            batch.kept.clear()

    @torch.inference_mode()
    def outputs(self, number: int, masked: nn.Module, removed: Removed, tick: Tick) -> tuple[Tensor, float]:
        """The outputs for one batch, and the fraction of its operations that were not done again.

        Args:
            masked: the model, masked for the plan that removes `removed`.
            tick: hears between operators which fraction is done, and may raise to stop.
        """
        batch = self._batches[number]
        if batch.way is None:
            batch.way = self._ways.get(batch.inputs.shape)
        if self.refused:
            return _plainly(masked, batch), 0.0
        if batch.way is None:
            return self._learn(batch, masked, removed, tick), 0.0
        try:
            return self._resumed(batch, masked, removed, tick)
        except DivergedError:
            batch.kept.clear()
        if batch.diverged:  # not only with other data, but also with other weights
            self._refuse("values that its weights change decide what it computes")
            return _plainly(masked, batch), 0.0
        out = self._learn(batch, masked, removed, tick)
        batch.diverged = True
        return out, 0.0

    def _learn(self, batch: _Batch, masked: nn.Module, removed: Removed, tick: Tick) -> Tensor:
        """The outputs of a pass that is recorded, and then repeated to see whether it can be."""
        try:
            batch.way, out = self._recorded(batch, masked, tick)
            again, _ = self._resumed(batch, masked, removed, tick)
            if torch.allclose(out, again, rtol=0.0, atol=AGREEMENT * float(out.abs().max()), equal_nan=True):
                self._ways.setdefault(batch.inputs.shape, batch.way)
                return out
            self._refuse("it gives something else each time")
        except (Cancelled, ExplorerError, torch.OutOfMemoryError):
            batch.way = None
            raise
        except DivergedError:
            self._refuse("it computes something else each time")
        except UnrepeatableError as error:
            self._refuse(str(error))
        except Exception as error:  # the plain pass shows whether the model itself is at fault
            self._refuse(f"recording it fails: {error}")
        return _plainly(masked, batch)

    def _refuse(self, reason: str) -> None:
        self.refused = reason
        self.forget()

    def _recorded(self, batch: _Batch, masked: nn.Module, tick: Tick) -> tuple[_Way, Tensor]:
        tape, out = record(masked, batch.inputs, whole=self._whole, tick=tick)
        changes = [first_change(tape, group) for group in self._groups.values()]
        share = self._memory * len(batch.inputs) // len(self.inputs)
        return _Way(tape, choose(tape, changes, share)), out

    def _resumed(self, batch: _Batch, masked: nn.Module, removed: Removed, tick: Tick) -> tuple[Tensor, float]:
        tape = batch.way.tape
        changed = (g for name, g in self._groups.items() if batch.removed.get(name) != removed.get(name))
        change = min((first_change(tape, group) for group in changed), default=len(tape.steps))
        start = max((step for step in batch.kept if step <= change), default=0)
        batch.kept = {step: values for step, values in batch.kept.items() if step <= start}
        batch.removed = removed  # what is left is right for both
        later = {step for step in batch.way.keep if step > start}
        out, fresh = replay(tape, masked, batch.inputs, start=start, known=batch.kept.get(start), keep=later, tick=tick)
        batch.kept.update(fresh)
        return out, tape.done(start)


def _plainly(masked: nn.Module, batch: _Batch) -> Tensor:
    return masked(batch.inputs.clone())  # it may write into its inputs


def first_change(tape: Tape, group: Group) -> int:
    """The first step that gives something else when units of the group are masked."""
    roles = ("producer", "affine") if group.kind == "head-dims" else ("consumer",)  # as the mask does it
    names = {member.tensor for member in group.members if member.role in roles}
    names |= {norm.module for norm in group.norms}
    return min((tape.first[name] for name in names if name in tape.first), default=len(tape.steps))
