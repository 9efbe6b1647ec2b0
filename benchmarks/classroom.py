"""A class at work: how long thirty students wait for an answer after a drag, and for a training of a minute.

    python benchmarks/classroom.py [--json] [--students 30] [--minutes 10] [--least 5] [--most 10] [--seed 0]

Students talk to a server as a browser does, by its websocket, and ask again what refreshes itself, without what a
browser costs. All join one class; then each lets go of a row of the board, waits for the number of the cut in the
strip, rests `least` to `most` seconds, and moves another row; once each starts the strip's training of three epochs. A
teacher's page shows who is where all the while.

*Answer* is from letting go to the number (median, 95th percentile, largest; bound 3 s at the 95th). *Mixed* counts
pages that showed another cut than the student's own; *wrong* counts numbers that were not those of that cut, each
computed again here. *Over bound* counts trainings that waited longer than was shown to the student once she had started
hers. *Stale* is from letting go until the teacher's page has the change (95th percentile, largest; bound 2 s). Run it
on a quiet machine: the students' side takes a part of it, which is reported (*own share*, of one processor).
"""

import asyncio
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from sidebyside import options, present

from tests.browser.app import running
from tests.room import opened, play, waits, wrong

ANSWER, STALE = 3.0, 2.0  # seconds that the project sets itself
AT_ONCE = 1.0  # a second: what is said to begin at once begins within it


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that so large a part of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


def own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    chosen = options(__doc__, students=30, minutes=10.0, least=5.0, most=10.0, seed=0)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), room=True) as app:
        root, start, used = Path(folder), time.perf_counter(), own_seconds()
        room = opened(root)
        asyncio.run(play(app.url, room, chosen.students, 60 * chosen.minutes, chosen.seed, (chosen.least, chosen.most)))
        taken = time.perf_counter() - start
        share, memory = (own_seconds() - used) / taken, psutil.Process(app.process.pid).memory_info().rss / 2**20
        trainings = waits(root)
    seconds = [answer.seconds for work in room.works for answer in work.answers]
    bounds = {work.token: work.bound for work in room.works if work.bound is not None}
    waited = {token: trainings.get(token, ("", None)) for token in bounds}
    begun = {token: seconds for token, (_, seconds) in waited.items() if seconds is not None}
    told = [*(text for work in room.works for text in (*work.mixed, *work.errors)), *wrong(room)]
    row: dict[str, Any] = {
        "students": chosen.students,
        "minutes": taken / 60,
        "drags": len(seconds),
        "median": statistics.median(seconds),
        "95th": percentile(seconds, 0.95),
        "largest": max(seconds),
        "mixed": sum(len(work.mixed) for work in room.works),
        "errors": sum(len(work.errors) for work in room.works),
        "wrong": len(told) - sum(len(work.mixed) + len(work.errors) for work in room.works),
        "trainings": len(begun),
        "done": sum(state == "done" for state, _ in waited.values()),
        "longest wait": max(begun.values(), default=0.0),
        "over bound": sum(seconds > bounds[token] + AT_ONCE for token, seconds in begun.items()),
        "largest bound": max(bounds.values(), default=0.0),
        "stale 95th": percentile(room.stale, 0.95),
        "stale": max(room.stale, default=float("nan")),
        "memory": memory,
        "own share": share,
    }
    present([row], {"answer": ANSWER / row["95th"], "stale": STALE / row["stale 95th"]}, as_json=chosen.json)
    for sentence in told:
        print(sentence, file=sys.stderr)


if __name__ == "__main__":
    main()
