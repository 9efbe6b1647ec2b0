"""The interface of a place of work, as the desk sees it."""

from collections.abc import Callable
from typing import Any, Protocol

LIVES = 2  # ends without a word at the same place, with which a piece of work has failed
NICE = "--nice="
"""The argument of a worker process that lets others go first, before how nice it is.

Where both want all of a processor, 5 leaves it a third of what a process has that is not nice, and 19 a seventieth.
"""
Event = dict[str, Any]
OnEvent = Callable[["Link", Event], None]
OnExit = Callable[["Link", str], None]


class Link(Protocol):
    """A place of work, reached from the desk.

    From a thread of its own it calls `on_event(link, event)` for each of the work's events, see
    `explorer.runs.queue.worker`, and `on_exit(link, what happened)` when it has come to its end and can't be used any
    longer.
    """

    @property
    def pid(self) -> int | None:
        """Of the process that works; None while there is none."""

    def send(self, message: dict[str, Any]) -> None:
        """Passes a message on; where the place is gone it is dropped, and `on_exit` is called or has been."""

    def kill(self) -> None:
        """Ends the work at once."""

    def close(self, grace: float) -> None:
        """Ends the place of work within about `grace` seconds, and waits for that."""
