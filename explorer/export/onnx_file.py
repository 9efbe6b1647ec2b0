"""A module as an ONNX file, and the proof that the file computes the same."""

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from explorer.batches import evaluating
from explorer.errors import ExplorerError
from explorer.files import replacing_file
from explorer.plain import visible
from explorer.progress import Report, silent

CPU = torch.device("cpu")
TIE = 1e-5  # two logits closer than this share of the largest are a tie, which rounding may decide either way
MADE_BY = ("made_by", "Pruning Explorer")  # in the metadata of every file: by it we know our own
LARGEST = 2**31  # bytes that a file with its weights inside can hold
CHATTY = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")


def export_onnx(module: nn.Module, inputs: tuple[int, ...] | Tensor, path: Path | str) -> dict[str, Any]:
    """Writes the module as one ONNX file with a dynamic batch: `input` (batch, C, H, W) → `logits` (batch, classes).

    torch's current exporter is tried first; where it can't follow the model, the older TorchScript exporter is
    used and named in the result. The file appears whole or not at all.

    Args:
        inputs: the shape of one image, (C, H, W), or a batch of at least two inputs of any kind.

    Returns:
        ``{"exporter": "dynamo" | "torchscript", "opset": int, "size_bytes": int, "reason": str}``; `reason` is
        why it was not the first exporter.

    Raises:
        ExplorerError: neither exporter can, the file would pass 2 GB, or the path can't be written.
    """
    path = Path(path)
    if sum(tensor.nbytes for tensor in module.state_dict().values()) >= LARGEST:
        raise ExplorerError(
            "the model is larger than the 2 GB that one ONNX file can hold: cut more, or keep safetensors"
        )
    example = inputs if isinstance(inputs, Tensor) else torch.zeros(2, *inputs)
    try:
        with replacing_file(path, private=False) as file, evaluating(module, CPU), _experts_at_once(module), quiet():
            exporter, reason = _export(module, example, file)
    except OSError as error:
        raise ExplorerError(f"can't write {path}: {error.strerror or error}; choose another place") from None
    opset = onnx.load(path, load_external_data=False).opset_import[0].version
    return {"exporter": exporter, "opset": opset, "size_bytes": path.stat().st_size, "reason": reason}


def _export(module: nn.Module, example: Tensor, path: Path) -> tuple[str, str]:
    """The exporter that worked, and why the first one did not."""
    try:
        _dynamo(module, example, path)
        return "dynamo", ""
    except OSError:
        raise
    except Exception as error:  # the exporter lets through whatever the model's own code runs into
        reason = first_line(error)
    try:
        _torchscript(module, example, path)
        return "torchscript", reason
    except OSError:
        raise
    except Exception as error:
        raise ExplorerError(
            f"this model can't be written as ONNX ({first_line(error)}): keep its safetensors and load.py"
        ) from error


@contextlib.contextmanager
def _experts_at_once(module: nn.Module) -> Iterator[None]:
    """Inside it, experts of transformers are no loop over those that the example happens to reach."""
    models = [part for part in module.modules() if hasattr(part, "get_experts_implementation")]
    before = [model.get_experts_implementation() for model in models]
    try:
        for model in models:
            model.set_experts_implementation("batched_mm")
        yield
    finally:
        for model, known in zip(models, before, strict=True):
            model.set_experts_implementation(known)


def _dynamo(module: nn.Module, example: Tensor, path: Path) -> None:
    program = torch.onnx.export(
        module,
        (example,),
        dynamo=True,
        dynamic_shapes=({0: "batch"},),
        input_names=["input"],
        output_names=["logits"],
        verbose=False,
    )
    undress(program.model)
    program.save(path, external_data=False)


def undress(model: Any) -> None:
    """Takes out of an exporter's model what no runtime reads, and what can't be seen out of the names of its tensors.

    Stack traces are a third of a small file, and tell the paths of this machine. What is left says who made the file.
    """
    graph = model.graph
    nodes = list(graph.all_nodes())
    values = [*graph.inputs, *graph.initializers.values(), *(value for node in nodes for value in node.outputs)]
    for part in (model, graph, *nodes, *values):
        part.metadata_props.clear()
        part.doc_string = None
    for value in values:
        if value.name is not None and value.name != (name := visible(value.name)):
            value.name = name
    model.metadata_props.update([MADE_BY])


def _torchscript(module: nn.Module, example: Tensor, path: Path) -> None:
    torch.onnx.export(
        module,
        (example,),
        str(path),
        dynamo=False,
        dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
        input_names=["input"],
        output_names=["logits"],
        verbose=False,
    )
    model = onnx.load(path, load_external_data=False)
    onnx.helper.set_model_props(model, dict([MADE_BY]))
    onnx.save(model, path)


def is_ours(path: Path) -> bool:
    """Whether a file is an ONNX file that this program has written."""
    if path.stat().st_size > LARGEST:
        return False
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception:  # of protobuf, made in C++: it is something else
        return False
    return MADE_BY in [(entry.key, entry.value) for entry in model.metadata_props]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Exporters talk on loggers, as warnings and on standard output: not here."""
    levels = [(logging.getLogger(name), logging.getLogger(name).level) for name in CHATTY]
    with warnings.catch_warnings(), open(os.devnull, "w") as nowhere:
        warnings.simplefilter("ignore")
        for logger, _ in levels:
            logger.setLevel(logging.CRITICAL)
        try:
            with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
                yield
        finally:
            for logger, level in levels:
                logger.setLevel(level)


def check_onnx(
    path: Path | str,
    module: nn.Module,
    images: Tensor,
    labels: Tensor | None,
    *,
    batch_size: int = 50,
    report: Report = silent,
) -> dict[str, Any]:
    """Runs the file in onnxruntime beside the module, at batches of 1, 2, 5 and over all images.

    Args:
        images: real inputs, (samples, C, H, W).
        labels: their classes, (samples,), or None where they mean nothing.

    Returns:
        `max_abs_diff` of the logits, `max_rel_diff` (of the largest logit), the `tolerance` of the first,
        `top1_onnx` and `top1_torch` (fractions; None without labels), `agreement` (fraction of samples with the same
        top class), `samples`, `batches`.

    Raises:
        ExplorerError: the file is no valid ONNX, onnxruntime can't run it, logits differ by more than
            `tolerance`, or a top class differs that is no tie.
    """
    session = open_session(Path(path))
    ours, theirs = [], []
    with evaluating(module, CPU), torch.inference_mode():
        sizes = [size for size in (1, 2, 5) if size <= len(images)]
        chunks = [images[:size] for size in sizes] + list(images.split(batch_size))
        for step, chunk in enumerate(chunks, start=1):
            ours.append(module(chunk).numpy())
            theirs.append(_run(session, chunk))
            report(step / len(chunks), f"comparing the ONNX file: batch {step} of {len(chunks)}")
    found = _compare(np.concatenate(ours), np.concatenate(theirs))
    torch_logits, onnx_logits = (np.concatenate(parts[len(sizes) :]) for parts in (ours, theirs))
    truth = None if labels is None else labels.numpy()
    return found | {
        "top1_onnx": None if truth is None else float((onnx_logits.argmax(1) == truth).mean()),
        "top1_torch": None if truth is None else float((torch_logits.argmax(1) == truth).mean()),
        "agreement": float((onnx_logits.argmax(1) == torch_logits.argmax(1)).mean()),
        "samples": len(images),
        "batches": sizes,
    }


def open_session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        onnx.checker.check_model(str(path))
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # both raise classes of their own, made in C++
        raise ExplorerError(f"the ONNX file does not hold ({first_line(error)}): it is not kept") from error


def _run(session: onnxruntime.InferenceSession, images: Tensor) -> np.ndarray:
    try:
        return session.run(None, {session.get_inputs()[0].name: images.numpy()})[0]
    except Exception as error:
        raise ExplorerError(
            f"onnxruntime can't run the file on a batch of {len(images)} ({first_line(error)}): it is not kept"
        ) from error


def tolerance(scale: float) -> float:
    """How far logits may be apart when the largest is `scale`: 1e-3, for small ones less and for large ones more."""
    return max(1e-3 * min(1.0, scale), 1e-4 * scale)


def _compare(ours: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
    """The differences, if they are tolerable."""
    if ours.shape != theirs.shape or not np.isfinite(theirs).all():
        raise ExplorerError(f"the ONNX file gives other outputs, {theirs.shape} or not finite: it is not kept")
    scale = max(float(np.abs(ours).max()), float(np.finfo(np.float32).tiny))
    worst = float(np.abs(ours - theirs).max())
    if worst > tolerance(scale):
        raise ExplorerError(
            f"the ONNX file's logits differ by {worst:.2g} where the largest is {scale:.2g}: it is not kept"
        )
    best = np.sort(ours, axis=1)[:, -2:]
    decided = best[:, -1] - best[:, 0] > TIE * scale
    changed = int(((ours.argmax(1) != theirs.argmax(1)) & decided).sum())
    if changed:
        raise ExplorerError(f"the ONNX file puts another class first on {changed} of the inputs: it is not kept")
    return {"max_abs_diff": worst, "max_rel_diff": worst / scale, "tolerance": tolerance(scale)}


def first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
