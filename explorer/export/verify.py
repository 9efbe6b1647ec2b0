"""Reopens a bundle as a stranger would, and compares what it computes with the model it came from."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten

from explorer.batches import evaluating
from explorer.errors import ExplorerError
from explorer.export.onnx_file import CPU
from explorer.progress import Report, silent
from explorer.sources import load_model
from explorer.sources.own import OneTensor

BATCHES = (1, 2, 5)
TOLERANCE = 1e-5  # of the largest logit
ALONE = Path(__file__).with_name("alone.py")
PATIENCE = 600  # seconds


def check_script(directory: Path, module: nn.Module, images: Tensor, *, report: Report = silent) -> dict[str, Any]:
    """Checks that a bundle's load.py gives the module's logits, in a clean process that can't import this program.

    Args:
        module: the model that was exported.
        images: real inputs, (samples, C, H, W), at least one; batches of 1, 2 and 5 are made of them.

    Returns:
        ``{"name", "batches", "max_abs_diff", "max_rel_diff", "tolerance"}``

    Raises:
        ExplorerError: the script does not run, or its logits differ.
    """
    report(0.0, "loading the bundle in a clean process")
    batches = _inputs(images)
    given = _by_place({size: _given(module, batch) for size, batch in batches.items()})
    answers = _alone(directory, given, report)
    with evaluating(module, CPU), torch.inference_mode():
        expected = _by_place({size: _leaves(module, batch) for size, batch in batches.items()})
    return _checked("load.py in a clean process", expected, answers, TOLERANCE)


def check_reload(directory: Path, module: nn.Module, images: Tensor, *, report: Report = silent) -> dict[str, Any]:
    """Checks that the bundle gives exactly the module's logits as ``run:DIR``; else like `check_script`."""
    report(0.0, "loading the bundle as run:")
    inputs = _inputs(images)
    answers = _logits(load_model(f"run:{directory}").module, inputs)
    found = _checked("reloaded as run:DIR", _logits(module, inputs), answers, 0.0)
    report(1.0, "the bundle gives the model's logits")
    return found


def _given(module: nn.Module, batch: Tensor) -> dict[str, Tensor]:
    """What a network is called with, as `alone.py` reads it."""
    inputs = module.own_.ports.unpack(batch) if isinstance(module, OneTensor) else batch
    if isinstance(inputs, Mapping):
        return {f"={name}": tensor.contiguous() for name, tensor in inputs.items()}
    return {str(place): tensor.contiguous() for place, tensor in enumerate(tree_flatten(inputs)[0])}


def _leaves(module: nn.Module, batch: Tensor) -> dict[str, Tensor]:
    """The tensors that a network returns, of a person's network those of her own module."""
    out = module.outputs_(batch) if isinstance(module, OneTensor) else module(batch)
    leaves = [leaf for leaf in tree_flatten(out)[0] if isinstance(leaf, Tensor)]
    return {str(place): leaf for place, leaf in enumerate(leaves)}


def _by_place(calls: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    return {f"{size}/{place}": leaf for size, leaves in calls.items() for place, leaf in leaves.items()}


def _inputs(images: Tensor) -> dict[str, Tensor]:
    """Images for every batch size, other ones for each, repeated where there are too few."""
    inputs, start = {}, 0
    for size in BATCHES:
        inputs[str(size)] = images[torch.arange(start, start + size) % len(images)].contiguous()
        start += size
    return inputs


def _logits(module: nn.Module, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    with evaluating(module, CPU), torch.inference_mode():
        return {name: module(batch) for name, batch in inputs.items()}


def _alone(directory: Path, inputs: dict[str, Tensor], report: Report) -> dict[str, Tensor]:
    """What load.py's network gives for the inputs, from a process that sees only the bundle."""
    with tempfile.TemporaryDirectory() as folder:
        given, answer, errors = (Path(folder) / name for name in ("inputs", "logits", "errors"))
        save_file(inputs, given)
        command = [sys.executable, "-I", "-B", str(ALONE), str(given), str(answer), str(torch.get_num_threads())]
        with errors.open("w") as stream:
            process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=stream)
            code = _finished(process, report)
        if code != 0:
            lines = errors.read_text(errors="replace").strip().splitlines() or [f"it ended with code {code}"]
            raise ExplorerError(f"the exported load.py does not run by itself ({lines[-1]}): the bundle is not kept")
        return load_file(answer)


def _finished(process: subprocess.Popen, report: Report) -> int:
    """The exit code. The process does not outlive a cancel."""
    start = time.monotonic()
    try:
        while True:
            try:
                return process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                waited = time.monotonic() - start
                if waited > PATIENCE:
                    raise ExplorerError(
                        f"the exported load.py had not finished after {PATIENCE} s: the bundle is not kept"
                    ) from None
                report(min(0.75, waited / 20), "loading the bundle in a clean process")
    finally:
        process.kill()
        process.wait()


def _checked(name: str, expected: dict[str, Tensor], found: dict[str, Tensor], tolerance: float) -> dict[str, Any]:
    """The record of one comparison.

    Raises:
        ExplorerError: it failed.
    """
    scale = max(float(logits.abs().max()) for logits in expected.values()) or 1.0
    if found.keys() != expected.keys() or any(found[key].shape != logits.shape for key, logits in expected.items()):
        raise ExplorerError(f"the bundle, {name}, gives outputs of another shape: it is not kept")
    worst = max(float((found[size] - logits).abs().max()) for size, logits in expected.items())
    if not worst <= tolerance * scale:
        raise ExplorerError(
            f"the bundle, {name}, gives logits that differ by {worst:.2g} where the largest is {scale:.2g}: "
            "it is not kept"
        )
    return {
        "name": name,
        "batches": list(BATCHES),
        "max_abs_diff": worst,
        "max_rel_diff": worst / scale,
        "tolerance": tolerance * scale,
    }
