"""Finished runs as their folders tell them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError
from explorer.export.layout import PLAN, REPORT
from explorer.pruning import Plan
from explorer.reading import DamagedError
from explorer.runs.documents import read_plan, read_report
from explorer.runs.queue.job import BUNDLE


@dataclass(frozen=True)
class Finished:
    """A finished run: what it is called here, its `result` as in its report, and the `plan` that it made."""

    name: str
    result: Mapping[str, Any]
    plan: Plan

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.result["spec"]

    @property
    def steps(self) -> Sequence[Mapping[str, Any]]:
        """The cuts of a method that makes several, in order."""
        return self.result.get("steps") or ()

    @property
    def sparse(self) -> Mapping[str, Any] | None:
        """What its zeros come to, of a run that set single weights to zero instead of cutting channels."""
        return self.result.get("sparse")


def read_finished(folder: Path, name: str | None = None) -> Finished:
    """The run whose bundle lies in `folder`, or in ``folder/bundle`` as the app places it; by default of that name.

    Raises:
        DamagedError: its files are damaged.
        ExplorerError: there is no finished run, or its files can't be read.
    """
    bundle = folder if os.path.lexists(folder / REPORT) else folder / BUNDLE
    try:
        result = read_report(bundle / REPORT)
        plan = read_plan(bundle / PLAN, result)
    except (FileNotFoundError, NotADirectoryError):
        raise ExplorerError(f"{folder} holds no finished run: name the --out folder of a prune command") from None
    except DamagedError as error:
        raise DamagedError(f"{error}; name another --out folder of a prune command, or run it again") from None
    return Finished(name or str(folder), result, plan)
