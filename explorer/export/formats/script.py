"""A Python file that rebuilds the network from its weights."""

from pathlib import Path
from typing import Any

import torch

from explorer.batches import evaluating
from explorer.export.draft import Draft
from explorer.export.registry import export_format
from explorer.export.script import loader_script
from explorer.export.verify import check_script
from explorer.progress import Report

USAGE = """\
# In the unpacked bundle; needs torch, safetensors, and torchvision or transformers where the base network is from.
import torch
from load import load

logits = load()(torch.{values}(8, {shape}, dtype=torch.{dtype}))
"""


def check(draft: Draft, path: Path, report: Report) -> dict[str, Any]:
    """The differences to the network in a process that can't import this program."""
    return check_script(draft.folder, draft.exported.module, draft.inputs, report=report)


@export_format(
    "script",
    title="PyTorch",
    explanation="rebuilds the model in PyTorch from the weights, without Pruning Explorer",
    file="load.py",
    icon=":material/code:",
    offered=3,
    usage=USAGE,
    rank=40,
    check=check,
)
def write_script(draft: Draft, path: Path, report: Report) -> None:
    exported, loaded = draft.exported, draft.exported.loaded
    script = loader_script(
        exported.module,
        architecture=loaded.architecture,
        attributes=exported.attributes,
        input_shape=loaded.input_shape,
        classes=exported.outputs,
        title=exported.title,
        outputs="" if exported.classifies else _outputs(draft),
        own=loaded.inputs is not None,
    )
    path.write_text(script, encoding="utf-8")


def _outputs(draft: Draft) -> str:
    """The shape of the network's outputs, for a person."""
    module = draft.exported.module
    with evaluating(module, torch.device("cpu")), torch.inference_mode():
        return f"(batch, {', '.join(map(str, module(draft.inputs[:2]).shape[1:]))})"
