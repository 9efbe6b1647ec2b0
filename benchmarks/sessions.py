"""Many people at once: whether anybody's state is mixed with another's, how long they wait, and what memory they leave.

    python benchmarks/sessions.py [--json] [--together 40] [--first 20] [--last 200] [--wave 10] [--seed 0]

Sessions talk to a server as a browser does, by its websocket, without what a browser costs. Each one opens the Budget
page by a link to a cut of its own, goes to a second one, and takes that back with Undo; then it leaves, and somebody
comes back by the workspace's address and reads what is there. *Mixed* counts the readings, of four in each session,
that were not that session's own. First `together` sessions do so at once; then others, `wave` at a time, until `first`
and until `last` of them are over and closed, when the server's memory is read (in MB). The ratio is the second memory
over the first.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import psutil
from sidebyside import options, present

from explorer.ui.door import TIDYING
from tests.browser.app import App, running
from tests.crowd import Visit, crowd, waves


def resident(app: App) -> float:
    """Megabytes of memory that the server's process has, a moment after its pages were closed."""
    time.sleep(2 * TIDYING)
    return psutil.Process(app.process.pid).memory_info().rss / 2**20


def row(what: str, visits: list[Visit], seconds: float, app: App) -> dict[str, Any]:
    times = [taken for visit in visits for taken in visit.seconds]
    return {
        "sessions": what,
        "mixed": sum(len(visit.mixed) for visit in visits),
        "errors": sum(len(visit.errors) for visit in visits),
        "workspaces": len({visit.token for visit in visits}),
        "seconds": seconds,
        "median": statistics.median(times),
        "slowest": max(times),
        "memory": resident(app),
    }


def main() -> None:
    chosen = options(__doc__, together=40, first=20, last=200, wave=10, seed=0)
    rows, told = [], []

    def clocked(what: str, work: Coroutine[Any, Any, list[Visit]]) -> None:
        start = time.perf_counter()
        visits = asyncio.run(work)
        rows.append(row(what, visits, time.perf_counter() - start, app))
        told.extend(sentence for visit in visits for sentence in (*visit.mixed, *visit.errors))
        print(", ".join(f"{name} {value}" for name, value in rows[-1].items()), file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as app:
        clocked(f"{chosen.together} at once", crowd(app.url, chosen.together, chosen.seed))
        clocked(f"{chosen.first} in turn", waves(app.url, range(chosen.first), chosen.wave, chosen.seed))
        clocked(f"{chosen.last} in turn", waves(app.url, range(chosen.first, chosen.last), chosen.wave, chosen.seed))
    present(rows, {"memory": rows[-1]["memory"] / rows[-2]["memory"]}, as_json=chosen.json)
    for sentence in told:
        print(sentence)


if __name__ == "__main__":
    main()
