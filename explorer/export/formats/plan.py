"""The plan: which channels were removed."""

from pathlib import Path

from explorer.export.draft import Draft
from explorer.export.registry import export_format
from explorer.files import json_text
from explorer.progress import Report


@export_format(
    "plan",
    title="Plan",
    explanation="the channels that were removed, in the coordinates of the base model",
    file="plan.json",
    icon=":material/list_alt:",
    offered=4,
    rank=10,
)
def write_plan(draft: Draft, path: Path, report: Report) -> None:
    path.write_text(json_text(draft.exported.plan.to_json()), encoding="utf-8")
