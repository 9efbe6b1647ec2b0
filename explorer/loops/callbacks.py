"""A schedule as a callback of the training programs that have loops of their own."""

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from explorer.errors import ExplorerError
from explorer.files import json_text

STATE = "schedule.json"
"""In a checkpoint of transformers' Trainer, the schedule's state."""
STATE_KEY = "explorer.Schedule"
"""Under which Lightning's checkpoints have it."""


class Stepped(Protocol):
    """What callbacks need of a schedule."""

    calls: int

    @property
    def finished(self) -> bool: ...

    def watch(self, *optimisers: Any) -> None: ...

    def step(self) -> Any: ...

    def state_dict(self) -> dict[str, Any]: ...


def trainer_callback(schedule: Stepped) -> Any:
    """A `TrainerCallback` of transformers, which puts the schedule's state into every checkpoint.

    Raises:
        ExplorerError: transformers is missing.
    """
    base = _imported("transformers").TrainerCallback

    class ScheduleCallback(base):  # type: ignore[misc, valid-type]
        """Calls `Schedule.step` after every step of the optimiser."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if args.load_best_model_at_end:
                raise ExplorerError(
                    "load_best_model_at_end would put weights of wider networks into the cut one: leave it off, or "
                    "save the best network yourself after the last cut"
                )
            schedule.watch(kwargs["optimizer"])

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            schedule.step()

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            (checkpoint / STATE).write_text(json_text(schedule.state_dict()), encoding="utf-8")

        def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            _warn_unless_finished(schedule)

    return ScheduleCallback()


def lightning_callback(schedule: Stepped) -> Any:
    """A `Callback` of Lightning, whose part of a checkpoint is the schedule's state.

    Raises:
        ExplorerError: Lightning is missing.
    """
    base = _imported("lightning.pytorch", "pytorch_lightning").Callback

    class ScheduleCallback(base):  # type: ignore[misc, valid-type]
        """Calls `Schedule.step` after every batch that ends in a step of an optimiser."""

        state_key = STATE_KEY
        steps = 0

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            schedule.watch(*trainer.optimizers)
            self.steps = trainer.global_step

        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            if trainer.global_step > self.steps:  # not where gradients of several batches are added up
                self.steps = trainer.global_step
                schedule.step()

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            _warn_unless_finished(schedule)

        def state_dict(self) -> dict[str, Any]:
            return schedule.state_dict()

    return ScheduleCallback()


def _imported(*names: str) -> Any:
    """The first of these packages that is there."""
    for name in names:
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):
                raise
    package = names[0].partition(".")[0]
    raise ExplorerError(
        f"the package {package} is missing, whose trainer this is a callback for: pip install {package}"
    )


def _warn_unless_finished(schedule: Stepped) -> None:
    if not schedule.finished:
        warnings.warn(
            f"training ended after {schedule.calls} calls of the schedule, before the last cut: give it a smaller end",
            stacklevel=3,
        )
