"""Finished runs as their folders tell them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError
from explorer.evaluation import Paired
from explorer.export.layout import PLAN, REPORT
from explorer.pruning import Plan
from explorer.reading import DamagedError
from explorer.runs.documents import read_plan, read_report
from explorer.runs.history.networks import network_of
from explorer.runs.labels import label_of
from explorer.runs.queue.job import BUNDLE
from explorer.tasks import TASK_KINDS
from explorer.tasks.tools.task_kind import DEFAULT_KIND


@dataclass(frozen=True)
class Finished:
    """A finished run: what it is called here, its `result` as in its report, and the `plan` that it made.

    `whole` is the ref of the network that it, or the first of the runs that it started from, began with; empty where
    that is its own model. `colour` is that of its label.
    """

    name: str
    result: Mapping[str, Any]
    plan: Plan
    whole: str = ""
    colour: str = ""

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.result["spec"]

    @property
    def network(self) -> str:
        """The ref of the network before anything was cut of it."""
        return self.whole or str(self.spec["model"])

    @property
    def paired(self) -> Paired | None:
        """Base and end on the same test samples; None where answers are not right or wrong, or the report is older."""
        return Paired.from_json((self.result.get("against_base") or {}).get("paired"))

    @property
    def ratio(self) -> Mapping[str, Any] | None:
        """Its latency against its base, timed in the same minutes, for the smallest batch; None of older reports."""
        return next(iter((self.result.get("against_base") or {}).get("latency") or ()), None)

    @property
    def samples(self) -> str:
        """What its test samples are called."""
        kind = self.result.get("kind", DEFAULT_KIND)
        return TASK_KINDS.declared()[kind].samples if kind in TASK_KINDS.declared() else "samples"

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
    id = result.get("id") or str(bundle)
    colour = label_of(bundle, id).colour
    return Finished(name or str(folder), result, plan, network_of(str(result["spec"]["model"])), colour)
