"""Finished runs as their folders tell them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError
from explorer.export.layout import REPORT
from explorer.pruning import Plan
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
        ExplorerError: there is no finished run, or its files are not readable.
    """
    bundle = folder if (folder / REPORT).is_file() else folder / BUNDLE
    try:
        result = json.loads((bundle / REPORT).read_text(encoding="utf-8"))
        plan = Plan.from_json((bundle / "plan.json").read_bytes())
    except OSError:
        raise ExplorerError(f"{folder} holds no finished run: name the --out folder of a prune command") from None
    except ValueError:
        raise ExplorerError(f"{bundle / REPORT} is damaged: run it again") from None
    if not isinstance(result, dict) or not {"base", "pruned", "spec", "groups"} <= result.keys():
        raise ExplorerError(f"{bundle / REPORT} is no report of a prune run: name the --out folder of a prune command")
    return Finished(name or str(folder), result, plan)
