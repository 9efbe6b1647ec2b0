"""Weights that are zero here and there, packed."""

from pathlib import Path

import torch

from explorer.errors import ExplorerError
from explorer.evaluation import weights
from explorer.export.draft import Draft, Exportable
from explorer.export.registry import export_format
from explorer.progress import Report
from explorer.pruning.packing import packed, unpacked


def has_zeros(exported: Exportable) -> bool:
    """Whether single weights were set to zero."""
    return bool(exported.pruned_at)


@export_format(
    "sparse",
    title="Packed weights",
    explanation="the same weights, packed: a bit for each, and those that aren't zero",
    file="sparse.safetensors",
    rank=70,
    applies=has_zeros,
)
def write_sparse(draft: Draft, path: Path, report: Report) -> None:
    """Writes the packed weights, and reads them again.

    Raises:
        ExplorerError: a weight that its mask calls zero is none.
    """
    tensors = weights(draft.exported.module)
    path.write_bytes(packed(tensors, {name: at == 0 for name, at in draft.exported.pruned_at.items()}))
    again, _ = unpacked(path)
    for name, tensor in tensors.items():
        if not torch.equal(again[name], tensor):
            raise ExplorerError(f"{name} has weights where its mask says that there are none: the bundle is not kept")
