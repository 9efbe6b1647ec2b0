"""A run of the command line: what it is given of options, and the document that it answers with."""

from pathlib import Path
from typing import Any

from explorer.cli.options import Options
from explorer.methods import check
from explorer.methods.spec import Spec
from explorer.progress import Report
from explorer.runs.history.tracking import default_tracker
from explorer.runs.together import execute_together


def carried_out(spec: Spec, options: Options, report: Report) -> dict[str, Any]:
    """Carries a spec out as the options of `add_out` say; the report, or nothing where another process writes it.

    Raises:
        ExplorerError: see `explorer.runs.execute.execute`.
    """
    check(spec)
    tracker = None if options.no_track else default_tracker()
    result = execute_together(spec, Path(options.out), report, resume=options.resume, tracker=tracker)
    return {} if result is None else result.to_json()
