"""The models on the way, each a folder that a ``run:`` ref loads."""

from pathlib import Path

from explorer.export.draft import Draft, Exportable
from explorer.export.registry import export_format
from explorer.progress import Report


def has_steps(exported: Exportable) -> bool:
    """Whether models on the way were kept."""
    return exported.steps is not None


@export_format(
    "steps",
    title="Steps",
    explanation="the models on the way: `run:DIR/steps/NN` is the one after step NN",
    file="steps/",
    rank=81,
    applies=has_steps,
)
def write_steps(draft: Draft, path: Path, report: Report) -> None:
    draft.exported.steps(draft.folder, draft.document)
