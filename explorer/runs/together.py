"""A run carried out by one process, or by all that were launched together."""

from pathlib import Path

from explorer.device import choose_device
from explorer.distributed import assist, is_main, joined, shared
from explorer.methods import METHODS, forgetful
from explorer.methods.spec import Spec
from explorer.progress import Report, silent
from explorer.runs.execute import execute
from explorer.runs.history.tracking import Tracker
from explorer.runs.result import RunResult


def execute_together(
    spec: Spec, out: Path | None, report: Report = silent, *, resume: bool = False, tracker: Tracker | None = None
) -> RunResult | None:
    """See `execute`; of several processes the main one reports, writes and returns, the others give None.

    Raises:
        ExplorerError: as `execute`, or devices that can't work together.
    """
    with joined(choose_device(spec.device)):
        if is_main():
            return execute(spec, out, report, resume=resume, tracker=tracker)
        assist(lambda: METHODS[spec.method].function(spec, silent, shared(forgetful)))
        return None
