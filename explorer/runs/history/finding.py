"""The run that a person means: by its name, its id or the beginning of that, or its folder."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from explorer.errors import ExplorerError, unknown
from explorer.runs.history.lineage import DamagedRun, RunRecord, read_runs
from explorer.runs.labels import home_of

_SHORTEST = 4  # characters of an id's beginning
_SHOWN = 5  # runs in a sentence


def find_run(text: str, records: Sequence[RunRecord], root: Path) -> RunRecord:
    """The run of `records`, those below `root`, that a text means; else the one whose folder it is.

    Raises:
        ExplorerError: it means none or several.
    """
    asked = text.removeprefix("run:").strip()
    ways: tuple[Callable[[RunRecord], bool], ...] = (
        lambda run: run.id == asked,
        lambda run: run.name == asked,
        lambda run: asked in (home_of(run.folder).name, _below(run, root)),
        lambda run: len(asked) >= _SHORTEST and _begins(run, asked),
    )
    for way in ways:
        found = [run for run in records if way(run)]
        if len(found) == 1:
            return found[0]
        if found:
            raise ExplorerError(f"{text!r} means {len(found)} runs: {_told(found)}; name one by its id")
    return _in_folder(asked) or _refuse(text, records, root)


def _begins(run: RunRecord, text: str) -> bool:
    """Whether a run's id begins so; that of a report without one is its folder, which is named whole or not."""
    return run.id != os.fspath(run.folder) and run.id.startswith(text)


def _below(run: RunRecord, root: Path) -> str:
    """The folder of a run as it is called from the folder of all runs."""
    home = home_of(run.folder)
    return str(home.relative_to(root)) if home.is_relative_to(root) else str(home)


def _in_folder(text: str) -> RunRecord | None:
    """The only run in a folder that a text names; a damaged one says what is wrong with it."""
    try:
        folder = Path(text).expanduser()
        if not text or not folder.is_dir():
            return None
    except (OSError, ValueError, RuntimeError):  # too long, or somebody's home who is not there
        return None
    damaged: list[DamagedRun] = []
    found = [run for run in read_runs(folder, damaged.append) if home_of(run.folder).absolute() == folder.absolute()]
    if not found and any(run.folder in (folder, folder / "bundle") for run in damaged):
        raise ExplorerError(damaged[0].reason)
    return found[0] if found else None


def _refuse(text: str, records: Sequence[RunRecord], root: Path) -> RunRecord:
    if not records:
        raise ExplorerError(f"there is no run {text!r}, and none in {root}: name a run's folder, or another --in")
    raise unknown("run", text, list(dict.fromkeys(run.name for run in records)))


def _told(runs: Sequence[RunRecord]) -> str:
    told = ", ".join(f"{run.id} in {os.fspath(home_of(run.folder))}" for run in runs[:_SHOWN])
    return told + (f" and {len(runs) - _SHOWN} more" if runs[_SHOWN:] else "")
