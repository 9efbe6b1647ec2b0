"""Where a run writes: checked before the work, so that hours of it can't end at a closed door."""

import contextlib
import tempfile
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.export.layout import REPORT, check_place
from explorer.methods.spec import Spec
from explorer.reading import DamagedError
from explorer.runs.documents import read_report
from explorer.runs.folders import check_steps, partial
from explorer.runs.result import RunResult
from explorer.sources.registries import places


def claim(out: Path, spec: Spec) -> Path:
    """The folder for the finished steps of the run that will write `out`, beside it. Nothing is changed.

    Raises:
        ExplorerError: `out` may not become a bundle (see `explorer.export.layout.check_place`), what stands where the
            steps would lie is not ours, the run's own model or data lies in `out`, or it can't be written.
    """
    check_place(out, "--out")
    for ref in (spec.model, spec.data):
        if _inside(ref, out):
            raise ExplorerError(f"{ref} lies in --out {out}, which the run would replace: name another folder")
    try:
        check_steps(partial(out))
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
        report = read_report(out / REPORT)
    except (OSError, DamagedError):
        return None
    if spec.differs(report.get("spec")):
        raise ExplorerError(f"{out} holds a finished run with other options: name another --out, or drop --resume")
    return RunResult.from_json(report)


def _nearest(folder: Path) -> Path:
    """The folder itself or its nearest ancestor that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _inside(ref: str, out: Path) -> bool:
    """Whether a ref names something in a folder."""
    with contextlib.suppress(OSError, ExplorerError):  # no path: opening it says what is wrong
        return any(place.path is not None and place.path.is_relative_to(out.resolve()) for place in places(ref))
    return False
