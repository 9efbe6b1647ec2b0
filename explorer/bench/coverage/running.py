"""Runs the rows of the coverage table, each in a process of its own.

One network that crashes, hangs or needs too much memory is thus a row that says so, and not the end of the table.
"""

import multiprocessing
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from fnmatch import fnmatch
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from explorer.bench.families import FAMILIES, NotInstalledError, names
from explorer.bench.kept import Kept
from explorer.bench.rows import Coverage
from explorer.errors import ExplorerError, one_line
from explorer.progress import Report, silent

TIME_LIMIT = 900.0  # seconds for one network
_BASE = "explorer.bench.coverage"  # is imported once, before the processes of the rows are forked


def coverage(
    wanted: Iterable[str],
    *,
    family: str = "all",
    onnx: bool = True,
    processes: int = 1,
    report: Report = silent,
    kept: Path | None = None,
) -> list[dict[str, Any]]:
    """One row per network: see `row`; a network that did not get through has `error` instead.

    Args:
        wanted: patterns of names, as ``torchvision:resnet*``; none means all.
        family: a key of `FAMILIES`, or ``all``.
        processes: how many rows are made at a time.
        kept: a file of finished rows, one JSON object a line; networks that are in it are not run again.

    Raises:
        ExplorerError: no network has such a name, or the file holds something else.
    """
    patterns = list(wanted)
    chosen = [name for name in names(family) if not patterns or any(fnmatch(name, p) for p in patterns)]
    if not chosen:
        raise ExplorerError(f"no model is called {' or '.join(patterns)}: try torchvision:resnet* or hf:*")
    finished = Kept(kept, "model", Coverage)
    waiting = [name for name in chosen if name not in finished.rows]
    done = len(chosen) - len(waiting)
    packages = {FAMILIES[name.partition(":")[0]].package for name in waiting}
    _forks().set_forkserver_preload([_BASE, *sorted(packages - {""})])
    with ThreadPoolExecutor(processes) as pool:
        futures = {pool.submit(isolated, name, onnx=onnx, processes=processes): name for name in waiting}
        try:
            for future in as_completed(futures):
                finished.add(future.result())
                done += 1
                report(done / len(chosen), f"{done} of {len(chosen)} networks: {futures[future]}")
        finally:
            pool.shutdown(cancel_futures=True)
    return [finished.rows[name] for name in chosen]


def isolated(name: str, *, onnx: bool, limit: float = TIME_LIMIT, processes: int = 1) -> dict[str, Any]:
    """The row of one network, computed in a process of its own, which has its share of the cores."""
    context = _forks()
    receiver, sender = context.Pipe(duplex=False)
    threads = max(1, (os.cpu_count() or 1) // processes)
    process = context.Process(target=_compute, args=(sender, name, onnx, threads), daemon=True)
    process.start()
    sender.close()  # so that the end of the process is the end of the pipe
    try:
        if not receiver.poll(limit):
            return {"model": name, "error": f"took longer than {limit:g} s"}
        return receiver.recv()
    except EOFError:
        process.join()
        return {"model": name, "error": f"its process died with exit code {process.exitcode}"}
    finally:
        process.kill()
        process.join()
        receiver.close()


def _compute(sender: Connection, name: str, onnx: bool, threads: int) -> None:
    """Sends the row of a network; what its package prints is not shown."""
    with open(os.devnull, "w") as nowhere:
        for stream in (1, 2):
            os.dup2(nowhere.fileno(), stream)
    import torch

    from explorer.bench.coverage.row import row

    torch.set_num_threads(threads)
    try:
        found = row(name, onnx=onnx)
    except NotInstalledError as error:
        found = {"model": name, "error": one_line(error), "installed": False}
    except Exception as error:  # of any package
        found = {"model": name, "error": one_line(error)}
    sender.send(found)


@cache
def _forks() -> ForkServerContext:
    """Processes that begin with what every row needs already imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_BASE])
    return context
