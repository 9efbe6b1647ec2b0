"""When each weight became zero."""

from pathlib import Path

from explorer.export.draft import Draft
from explorer.export.formats.sparse import has_zeros
from explorer.export.registry import export_format
from explorer.export.tensors import save_tensors
from explorer.progress import Report


@export_format(
    "pruned-at",
    title="Steps of the zeros",
    explanation="for each weight the number of the step that set it to zero, 0 where it stays",
    file="pruned_at.safetensors",
    rank=71,
    applies=has_zeros,
)
def write_pruned_at(draft: Draft, path: Path, report: Report) -> None:
    save_tensors(path, draft.exported.pruned_at)
