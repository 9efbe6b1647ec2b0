"""The report, which makes the folder one that a ``run:`` ref loads."""

from pathlib import Path
from typing import Any

from explorer.export.draft import Draft
from explorer.export.registry import export_format
from explorer.export.verify import check_reload
from explorer.files import json_text
from explorer.progress import Report


def check(draft: Draft, path: Path, report: Report) -> dict[str, Any]:
    """The differences to the network that a ``run:`` ref loads by the report, of which the checks are missing yet."""
    write_report(draft, path, report)
    return check_reload(draft.folder, draft.exported.module, draft.inputs, report=report)


@export_format(
    "report",
    title="Report",
    explanation="all measurements, the settings of the run, versions, and the checks of this folder",
    file="report.json",
    icon=":material/analytics:",
    offered=5,
    rank=50,
    needs={"checks"},
    check=check,
)
def write_report(draft: Draft, path: Path, report: Report) -> None:
    path.write_text(json_text(draft.document), encoding="utf-8")
