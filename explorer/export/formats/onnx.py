"""One ONNX file, which onnxruntime runs beside the network."""

import json
import zlib
from pathlib import Path
from typing import Any

import onnx

from explorer.export.draft import Draft, Exportable
from explorer.export.onnx_file import check_onnx, export_onnx, is_ours
from explorer.export.own_onnx import check_own, export_own
from explorer.export.registry import export_format
from explorer.progress import Report
from explorer.sources.own import OneTensor, plain

USAGE = """\
import numpy as np
import onnxruntime

{name} = np.{values}((8, {shape}), dtype=np.{dtype})  # any batch size; {made}
logits = onnxruntime.InferenceSession("model.onnx").run(None, {{"input": {name}}})[0]
"""


def check(draft: Draft, path: Path, report: Report) -> dict[str, Any]:
    """The differences to the network in onnxruntime, see `check_onnx`."""
    if isinstance(draft.exported.module, OneTensor):
        compared = check_own(path, draft.exported.module, draft.inputs)
        draft.document["onnx"] |= compared
        return {"name": "model.onnx in onnxruntime"} | compared
    compared = check_onnx(path, draft.exported.module, draft.inputs, draft.labels, report=report)
    draft.document["onnx"] |= compared | {"top1": compared["top1_onnx"]}
    return {"name": "model.onnx in onnxruntime"} | compared


@export_format(
    "onnx",
    title="ONNX",
    explanation="the same model for any ONNX runtime, batch size free",
    reference="https://onnx.ai",
    file="model.onnx",
    icon=":material/deployed_code:",
    offered=1,
    usage=USAGE,
    rank=30,
    alone=True,
    check=check,
    ours=is_ours,
)
def write_onnx(draft: Draft, path: Path, report: Report) -> None:
    report(0.0, "writing the ONNX file")
    module = draft.exported.module
    if isinstance(module, OneTensor):
        told = export_own(plain(module), module.own_.ports.unpack(draft.exported.example()), path)
        draft.document["onnx"] = {"exporter": "dynamo", "reason": "", **told}
    else:
        draft.document["onnx"] = export_onnx(module, draft.exported.example(), path)
    _describe(path, draft.exported)
    draft.document["onnx"]["size_bytes"] = path.stat().st_size
    if draft.exported.pruned_at:
        content = path.read_bytes()
        sizes = {"onnx_bytes": len(content), "onnx_deflated_bytes": len(zlib.compress(content))}
        draft.document["sparse"] = {**draft.document["sparse"], **sizes}


def _describe(path: Path, exported: Exportable) -> None:
    """Writes into the file what its inputs have to be, and what its outputs mean."""
    model = onnx.load(path, load_external_data=False)
    facts: dict[str, Any] = {"input_shape": exported.loaded.input_shape, "classes": exported.classes}
    if exported.task.mean:
        facts |= {"mean": exported.task.mean, "std": exported.task.std}
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=json.dumps(value))
    onnx.save(model, path)
