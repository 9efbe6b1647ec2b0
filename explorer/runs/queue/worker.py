"""A worker process: reads one JSON message per line, does one thing at a time, writes JSON events.

In: ``{"run": folder, "job": id}`` starts the job saved there, ``{"ask": request, "job": id}`` asks a question, and
``{"cancel": id}`` stops either at its next report.
Out: ``{"event": "progress"|"warning"|"done"|"failed"|"cancelled", "job": id, ...}``. Nothing else
reaches standard output; prints and warnings go to standard error. With ``--nice=19`` what others do on the machine goes
first.
"""

import contextlib
import json
import logging
import os
import queue
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TextIO

from explorer.errors import Cancelled, ExplorerError
from explorer.mishaps import told
from explorer.progress import Report
from explorer.runs.output import reserved_stdout
from explorer.runs.queue.job import Job
from explorer.runs.queue.kinds import JOBS
from explorer.runs.queue.links import NICE
from explorer.runs.queue.question_kinds import QUESTIONS
from explorer.strict_json import dumps

_ORPHAN_GRACE = 5.0
_PROGRESS_INTERVAL = 0.1


class Worker:
    """Does jobs one after the other until its input ends."""

    def __init__(self, messages: Iterable[str], events: TextIO) -> None:
        self._messages, self._events = messages, events
        self._orders: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._lock = threading.Lock()
        self._job: str | None = None
        self._cancelled: set[str] = set()
        self._orphaned = False

    def serve(self) -> None:
        threading.Thread(target=self._listen, name="messages", daemon=True).start()
        while (order := self._orders.get()) is not None:
            if "ask" in order:
                self.answer(order["ask"], order["job"])
            else:
                self.run(Path(order["run"]), order["job"])

    def _listen(self) -> None:
        for line in self._messages:
            message = json.loads(line)
            if "cancel" in message:
                self.cancel(message["cancel"])
            else:
                self._orders.put(message)
        self._orphaned = True  # the server has closed the line or is gone
        self._orders.put(None)
        time.sleep(_ORPHAN_GRACE)
        os._exit(1)

    def cancel(self, id: str) -> None:
        """Lets the job end at its next report; may be called from any thread."""
        self._cancelled.add(id)

    def run(self, folder: Path, id: str) -> None:
        """Does the job saved in the folder, and tells how it ended."""

        def work(report: Report) -> dict[str, Any]:
            job = Job.load(folder)
            return JOBS[job.kind](job.request, folder, report)

        self._do(id, work, f"run {folder.name}")
        _free_memory()

    def answer(self, request: dict[str, Any], id: str) -> None:
        """Answers a question, and keeps in memory what the next one may need as well."""
        self._do(id, lambda report: QUESTIONS[request["kind"]](request, report), f"question {id}")
        _free_device()

    def _do(self, id: str, work: Callable[[Report], dict[str, Any]], what: str) -> None:
        self._job = id
        handler = _Forward(self)
        logging.getLogger("explorer").addHandler(handler)
        try:
            self.emit("done", result=work(_Reporter(self)))
        except Cancelled:
            self.emit("cancelled")
        except ExplorerError as error:
            self.emit("failed", error=str(error))
        except Exception as error:
            traceback.print_exc()
            self.emit("failed", error=_defect(error, what))
        finally:
            logging.getLogger("explorer").removeHandler(handler)
            self._cancelled.discard(id)

    def emit(self, event: str, **fields: Any) -> None:
        """Writes one event of the current job; nobody hears it where the server is gone, and the job soon ends."""
        with self._lock, contextlib.suppress(OSError):
            print(dumps({"event": event, "job": self._job, **fields}), file=self._events, flush=True)

    def check_cancelled(self) -> None:
        if self._orphaned or self._job in self._cancelled:
            raise Cancelled


class _Reporter:
    """The report of a job: looks for a cancel every time, writes at most ten events a second.

    A report with other metrics than the last one, a step of a gradual method, or the last of all, is always written.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._last = 0.0
        self._names: frozenset[str] = frozenset()

    def __call__(self, fraction: float, message: str, **metrics: float) -> None:
        self._worker.check_cancelled()
        now, names = time.monotonic(), frozenset(metrics)
        point = "step" in names
        if now - self._last < _PROGRESS_INTERVAL and names == self._names and fraction < 1 and not point:
            return
        self._last, self._names = now, names
        numbers = {name: float(value) for name, value in metrics.items()}
        self._worker.emit("progress", fraction=float(fraction), message=message, metrics=numbers)


class _Forward(logging.Handler):
    """Sends the engine's warnings to the desk."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(logging.WARNING)
        self._worker = worker

    def emit(self, record: logging.LogRecord) -> None:
        self._worker.emit("warning", message=record.getMessage())


def _defect(error: Exception, what: str) -> str:
    from explorer.device import is_out_of_memory

    if is_out_of_memory(error):
        return "memory ran out: use fewer samples, a smaller input or another device"
    return told(error, what)


def _free_memory() -> None:
    import gc

    gc.collect()
    _free_device()


def _free_device() -> None:
    """Gives back what the allocator keeps of a GPU for later, which others may need now; tensors in use stay."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _let_others_go_first(nice: int) -> None:
    """Short work and the server's pages get the processors that they want, and this process what is left.

    Linux may share time out among sessions before it looks at how nice their processes are, and a worker is a session
    of its own: that group is made as nice.
    """
    os.nice(nice)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(nice))


def main() -> None:
    asked = [argument.removeprefix(NICE) for argument in sys.argv[1:] if argument.startswith(NICE)]
    if asked and hasattr(os, "nice"):
        _let_others_go_first(int(asked[0]))
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    warnings.simplefilter("default")
    with reserved_stdout() as events:
        Worker(sys.stdin, events).serve()


if __name__ == "__main__":
    main()
