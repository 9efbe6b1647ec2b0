"""Where runs lie, and the folders of their finished steps."""

import os
import re
from pathlib import Path

from explorer import owned
from explorer.errors import ExplorerError
from explorer.reading import read_object

PARTIAL = ".partial"  # how a folder of finished steps ends
SPEC, ORIGIN, LOCK = "spec.json", "run.json", "lock"  # what lies in one beside the steps
_FILE = r"(?:[\w-][\w.-]*\.safetensors|spec\.json|run\.json)"
_KEPT = re.compile(rf"{_FILE}|\.{_FILE}\.[0-9a-f]{{8}}")  # whole, or on its way


def default_root() -> Path:
    """The folder of the runs: ``$EXPLORER_RUNS``, else ``runs``."""
    return Path(os.environ.get("EXPLORER_RUNS") or "runs")


def partial(out: Path) -> Path:
    """The folder for the finished steps of the run that will write `out`, beside it."""
    return out.with_name(out.name + PARTIAL)


def steps_in(folder: Path) -> list[str]:
    """Names of the finished steps that a folder of `explorer.runs.checkpoint` holds."""
    return sorted(path.stem for path in folder.glob("*.safetensors") if not path.name.startswith("."))


def kept(name: str) -> bool:
    """Whether a file in a folder of finished steps is called as a run calls what it keeps there."""
    return bool(_KEPT.fullmatch(name))


def check_steps(folder: Path) -> None:
    """Refuses a place for finished steps that is not free and does not hold finished steps; nothing is changed.

    Raises:
        ExplorerError: a file, a link or somebody's folder is there, or files that no run keeps.
        OSError: it can't be looked at.
    """
    if owned.free(folder):
        return
    advice = "move it away, or name another --out"
    if folder.is_symlink() or not folder.is_dir():
        what = "a link" if folder.is_symlink() else "a file"
        raise ExplorerError(f"{folder}, where the steps of this run would lie, is {what}: {advice}")
    names = [name for name in sorted(os.listdir(folder)) if name != owned.MARK]
    if others := [name for name in names if not (kept(name) or name == LOCK) or not _ordinary(folder / name)]:
        raise ExplorerError(f"{folder}, where the steps of this run would lie, holds {others[0]!r}: {advice}")
    if not holds_steps(folder):
        raise ExplorerError(f"{folder}, where the steps of this run would lie, is not of this program: {advice}")


def holds_steps(folder: Path) -> bool:
    """Whether a folder holds the finished steps of a run of this program.

    It has our mark; or, made by a version without it, only ordinary files that are called as a run calls them, among
    them the run's spec: a JSON object that names `model`, `data`, `method` and `criterion`. Before its first step such
    a folder held nothing but an empty lock.
    """
    if owned.marked(folder, owned.STEPS):
        return True
    if folder.is_symlink():
        return False
    try:
        names = os.listdir(folder)
        if not all((kept(name) or name == LOCK) and _ordinary(folder / name) for name in names):
            return False
        if names == [LOCK]:
            return (folder / LOCK).stat().st_size == 0
        spec = read_object(folder / SPEC)
    except (OSError, ExplorerError):
        return False
    return all(isinstance(spec.get(key), str) for key in ("model", "data", "method", "criterion"))


def _ordinary(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
