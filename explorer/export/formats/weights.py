"""The weights in safetensors."""

from pathlib import Path

from explorer.evaluation import weights
from explorer.export.draft import Draft
from explorer.export.registry import export_format
from explorer.export.tensors import save_tensors
from explorer.progress import Report


@export_format(
    "weights",
    title="safetensors",
    explanation="the weights of the pruned model",
    file="weights.safetensors",
    icon=":material/database:",
    offered=2,
    rank=20,
)
def write_weights(draft: Draft, path: Path, report: Report) -> None:
    report(0.0, "writing the weights")
    save_tensors(path, weights(draft.exported.module))
