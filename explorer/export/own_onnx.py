"""Networks with several inputs or outputs as ONNX files: every one under its own name, compared before it is kept."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_map

from explorer.batches import evaluating
from explorer.errors import ExplorerError
from explorer.export.onnx_file import CPU, first_line, is_ours, open_session, quiet, tolerance, undress
from explorer.files import check_file, replacing_file
from explorer.plain import visible
from explorer.sources.own import OneTensor, call

BATCHES = (1, 2, 5)


def export_own(module: nn.Module, inputs: Any, path: Path | str) -> dict[str, Any]:
    """Writes any module as one ONNX file with a dynamic batch, and compares it with the module in onnxruntime.

    Args:
        inputs: what the module is called with, a batch of at least one: a tensor, a tuple of tensors (positional
            arguments), or a dictionary of them (keyword arguments, whose names the file's inputs get).
        path: of the file, which appears whole or not at all.

    Returns:
        ``{"inputs": [names], "outputs": [names], "opset": int, "size_bytes": int, "max_abs_diff": float}``; outputs are
        called as in the module's dictionary, else by their place.

    Raises:
        ExplorerError: the exporter can't follow the module, the file computes something else, or `path` can't be
            written or is another program's file.
    """
    path = Path(path)
    check_file(path, is_ours, "")
    batches = [repeated(inputs, size) for size in BATCHES]
    with evaluating(module, CPU), torch.inference_mode():
        wanted = [call(module, batch) for batch in batches]
    names = _output_names(wanted[0])
    with replacing_file(path, private=False) as partial:
        program = _exported(module, batches[1], names)
        program.save(partial, external_data=False)
        worst = max(_difference(partial, batch, out) for batch, out in zip(batches, wanted, strict=True))
        size = partial.stat().st_size
    opset = program.model.graph.opset_imports[""]
    given = [value.name for value in program.model.graph.inputs]
    return {"inputs": given, "outputs": names, "opset": opset, "size_bytes": size, "max_abs_diff": worst}


def check_own(path: Path, module: OneTensor, packed: Tensor) -> dict[str, Any]:
    """Compares every output of the file with the module's, at batches of 1, 2 and 5; see `check_onnx`.

    Args:
        packed: real inputs, as the engine has them.

    Raises:
        ExplorerError: see `export_own`.
    """
    worst = 0.0
    with evaluating(module, CPU), torch.inference_mode():
        for size in BATCHES:
            batch = repeated(packed, size)
            worst = max(worst, _difference(path, module.own_.ports.unpack(batch), module.outputs_(batch)))
    return {"batches": list(BATCHES), "max_abs_diff": worst, "tolerance": tolerance(1.0), "samples": sum(BATCHES)}


def repeated(inputs: Any, size: int) -> Any:
    """A batch of this size, of the inputs over and over."""
    return tree_map(lambda leaf: leaf[torch.arange(size) % len(leaf)], inputs)


def _output_names(outputs: Any) -> list[str]:
    count = len(tree_flatten(outputs)[0])
    if isinstance(outputs, Mapping) and len(outputs) == count:
        return [visible(name) for name in outputs]
    return ["output"] if count == 1 else [f"output_{place}" for place in range(count)]


def _exported(module: nn.Module, batch: Any, names: list[str]) -> Any:
    """The program of torch's exporter."""
    named = dict(batch) if isinstance(batch, Mapping) else None
    places = () if named else batch if isinstance(batch, tuple) else (batch,)
    shapes: Any = {name: {0: "batch"} for name in named} if named else tuple({0: "batch"} for _ in places)
    inputs = list(named) if named else ["input"] if len(places) == 1 else [f"input_{p}" for p in range(len(places))]
    try:
        with evaluating(module, CPU), quiet():
            program = torch.onnx.export(
                module,
                places,
                kwargs=named,
                dynamo=True,
                dynamic_shapes=shapes,
                input_names=inputs,
                output_names=names,
                verbose=False,
            )
    except Exception as error:  # the exporter lets through whatever the module's own code runs into
        raise ExplorerError(
            f"this network can't be written as ONNX ({first_line(error)}): keep its weights and plan"
        ) from error
    undress(program.model)
    return program


def _difference(path: Path, batch: Any, outputs: Any) -> float:
    """The largest difference of any output between the file and the module.

    Raises:
        ExplorerError: it is more than rounding explains.
    """
    session = open_session(path)
    fed = zip(session.get_inputs(), tree_flatten(batch)[0], strict=True)
    theirs = session.run(None, {value.name: tensor.numpy() for value, tensor in fed})
    worst = 0.0
    for value, mine, found in zip(session.get_outputs(), tree_flatten(outputs)[0], theirs, strict=True):
        ours = mine.numpy() if isinstance(mine, Tensor) else np.asarray(mine)
        if ours.shape != found.shape:
            raise ExplorerError(f"the ONNX file gives {value.name} another shape, {found.shape}: it is not kept")
        difference = float(np.abs(ours.astype(np.float64) - found).max(initial=0.0))
        if not difference <= tolerance(float(np.abs(ours).max(initial=0.0))):
            raise ExplorerError(f"the ONNX file's {value.name} differs by {difference:.2g}: it is not kept")
        worst = max(worst, difference)
    return worst
