"""The last finished epoch of a training, as a step of a run's memo."""

from contextlib import suppress

from explorer.methods.tools.stages import Memo, Record
from explorer.recovery.memory import Reached


class EpochMemory:
    """The memory of a training that is one step of a run: a record ``epoch-NN``, which replaces that before it.

    Args:
        memo: of the run.
        epochs: of the training, at most.
    """

    def __init__(self, memo: Memo, epochs: int) -> None:
        self._memo, self._epochs = memo, epochs

    def recall(self) -> Reached | None:
        for epoch in range(self._epochs, 0, -1):
            with suppress(_UnknownError):
                record = self._memo(_name(epoch), _unknown)
                return Reached(epoch, record.values, record.tensors)
        return None

    def keep(self, reached: Reached) -> None:
        before = _name(reached.epoch - 1) if reached.epoch > 1 else ""
        self._memo(_name(reached.epoch), lambda: Record(reached.values, reached.tensors, before))


class _UnknownError(Exception):
    """A memo has no record of an epoch."""


def _unknown() -> Record:
    raise _UnknownError


def _name(epoch: int) -> str:
    return f"epoch-{epoch:02}"
