"""Where a run writes: checked before the work, so that hours of it can't end at a closed door."""

import json
import tempfile
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.export.layout import REPORT, foreign
from explorer.methods.spec import Spec
from explorer.runs.folders import partial
from explorer.runs.result import RunResult


def claim(out: Path) -> Path:
    """The folder for the finished steps of the run that will write `out`, beside it.

    Raises:
        ExplorerError: `out` is a file, holds something that is no bundle, or can't be written.
    """
    if out.exists() and not out.is_dir():
        raise ExplorerError(f"--out {out} is a file: name a folder")
    try:
        if foreign(out):
            raise ExplorerError(f"--out {out} holds other files: name a new or empty folder")
        with tempfile.TemporaryDirectory(dir=_nearest(out.absolute().parent)):
            pass
    except OSError as error:
        raise ExplorerError(f"can't write to --out {out}: {error.strerror}; name a folder that you may write") from None
    return partial(out)


def finished_run(out: Path, spec: Spec) -> RunResult | None:
    """The result of a run that had finished in `out`, or None where there is none.

    Raises:
        ExplorerError: the run there had another spec.
    """
    try:
        report = json.loads((out / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if spec.differs(report.get("spec")):
        raise ExplorerError(f"{out} holds a finished run with other options: name another --out, or drop --resume")
    return RunResult.from_json(report)


def _nearest(folder: Path) -> Path:
    """The folder itself or its nearest ancestor that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
