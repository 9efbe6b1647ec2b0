"""A finished run's files, as the export page offers them."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from explorer.runs.job import Job

ONNX_EXAMPLE = """\
import numpy as np
import onnxruntime

images = np.zeros((8, {shape}), dtype=np.float32)  # any batch size; normalised as for the base model
logits = onnxruntime.InferenceSession("model.onnx").run(None, {{"input": images}})[0]
"""
TORCH_EXAMPLE = """\
# In the unpacked bundle; needs torch and safetensors, and torchvision where the base network comes from there.
import torch
from load import load

logits = load()(torch.zeros(8, {shape}))
"""


def folder(job: Job) -> Path:
    return Path(job.directory) / "bundle"


def files(bundle: Path) -> dict[str, Path]:
    """The bundle's files by name, those in folders included."""
    return {str(path.relative_to(bundle)): path for path in sorted(bundle.rglob("*")) if path.is_file()}


def zipped(bundle: Path) -> bytes:
    """The bundle as one archive, under a folder of the run's name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files(bundle).items():
            archive.write(path, f"{bundle.parent.name}/{name}")
    return buffer.getvalue()


def examples(result: Mapping[str, Any]) -> dict[str, str]:
    """How to load the files, by runtime."""
    shape = ", ".join(map(str, result["input_shape"]))
    return {"ONNX": ONNX_EXAMPLE.format(shape=shape), "PyTorch": TORCH_EXAMPLE.format(shape=shape)}


def checks(result: Mapping[str, Any]) -> list[str]:
    """What was compared before the bundle was kept; a bundle that fails any of it is never written."""
    return [_check(check) for check in result.get("checks", ())]


def _check(check: Mapping[str, Any]) -> str:
    batches = ", ".join(map(str, check["batches"]))
    worst = check["max_abs_diff"]
    found = (
        "the same logits" if worst == 0 else f"logits differ by {worst:.1e} at most (limit {check['tolerance']:.1e})"
    )
    sentence = f"**{check['name']}**: {found}, at batches of {batches}"
    if "agreement" in check:
        sentence += f"; the same class on {check['agreement']:.1%} of {check['samples']} real inputs"
    if check.get("top1_onnx") is not None:
        sentence += f", top-1 {check['top1_onnx']:.1%}"
    return sentence
