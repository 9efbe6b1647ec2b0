"""Guessing codes: what is wrong costs, for each person, each address and all together; what is right never does.

Codes are few enough to be read from a board, 18⁶ = 34 million, so what keeps them from being guessed is how many may be
tried: six a minute from one address and twenty a minute on the whole server, where it takes three years to try all.
A room of thirty behind one address may mistype twice each before anybody waits, and then for ten seconds.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from explorer.errors import ExplorerError

REMEMBERED = 10_000  # of whom it is known how much they have left


@dataclass(frozen=True)
class Rate:
    """How many wrong codes are free, and how many seconds it takes until one more is."""

    free: int
    seconds: float


PERSON, ADDRESS, SERVER = Rate(6, 10.0), Rate(60, 10.0), Rate(300, 3.0)


class Guard:
    """Counts wrong codes.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._used: OrderedDict[tuple[Rate, str], tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, person: str, address: str) -> None:
        """Refuses to look at a code where too many were wrong.

        Raises:
            ExplorerError: with the seconds to wait.
        """
        with self._lock:
            waits = [self._wait(rate, who) for rate, who in _counted(person, address)]
        if (seconds := max(waits)) > 0:
            raise ExplorerError(
                f"too many codes were wrong: wait {ceil(seconds)} seconds, then type the code again as it stands on "
                "the board"
            )

    def wrong(self, person: str, address: str) -> None:
        """Counts a wrong code."""
        with self._lock:
            for rate, who in _counted(person, address):
                self._used[rate, who] = self._level(rate, who) + 1, self._clock()
                self._used.move_to_end((rate, who))
            while len(self._used) > REMEMBERED:
                self._used.popitem(last=False)

    def _level(self, rate: Rate, who: str) -> float:
        """How many wrong codes count, which become fewer with time."""
        level, when = self._used.get((rate, who), (0.0, 0.0))
        return max(0.0, level - (self._clock() - when) / rate.seconds)

    def _wait(self, rate: Rate, who: str) -> float:
        return (self._level(rate, who) - rate.free + 1) * rate.seconds


def _counted(person: str, address: str) -> tuple[tuple[Rate, str], ...]:
    return (PERSON, person), (ADDRESS, address), (SERVER, "")
