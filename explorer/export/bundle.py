"""A folder with everything that a pruned model needs to be used, checked before it appears."""

import math
import shutil
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from explorer.batches import evaluating, fetch
from explorer.errors import ExplorerError
from explorer.evaluation import METADATA, weights
from explorer.export.card import model_card
from explorer.export.layout import PRUNED_AT, REPORT, SPARSE, STEPS, replacing
from explorer.export.onnx_file import check_onnx, export_onnx
from explorer.export.script import loader_script
from explorer.export.verify import verify_bundle
from explorer.progress import Report, part, silent
from explorer.pruning.packing import packed, unpacked
from explorer.sources.models.saved_runs import TOKENIZER
from explorer.sources.reading.texts import Tokenizer
from explorer.strict_json import dumps
from explorer.tasks import DEFAULT_KIND, TASK_KINDS

FILES = {
    "plan.json": "the channels that were removed, in the coordinates of the base model",
    "weights.safetensors": "the weights of the pruned model",
    "model.onnx": "the same model for any ONNX runtime, batch size free",
    "load.py": "rebuilds the model in PyTorch from the weights, without Pruning Explorer",
    REPORT: "all measurements, the settings of the run, versions, and the checks of this folder",
    "README.md": "this card",
}
FOLDERS = {
    TOKENIZER: "for AutoTokenizer of transformers",
    STEPS: "the models on the way: `run:DIR/steps/NN` is the one after step NN",
}
FURTHER = {
    SPARSE: "the same weights, packed: a bit for each, and those that aren't zero",
    PRUNED_AT: "for each weight the number of the step that set it to zero, 0 where it stays",
}
LARGEST_CHECK = 2**25  # values (128 MiB) of evaluation images that the ONNX file is compared on


def write_bundle(
    directory: Path | str,
    module: nn.Module,
    *,
    architecture: dict[str, Any],
    attributes: dict[str, dict[str, Any]],
    plan: dict[str, Any],
    result: Mapping[str, Any],
    data: Dataset,
    input_shape: Sequence[int],
    classes: int | Sequence[str],
    title: str,
    model: str,
    data_ref: str | None,
    measured: bool = True,
    trained: bool = True,
    normalisation: tuple[Sequence[float], Sequence[float]] | None = None,
    kind: str = DEFAULT_KIND,
    example: Tensor | None = None,
    tokenizer: Tokenizer | None = None,
    pruned_at: Mapping[str, Tensor] | None = None,
    further: Callable[[Path, Mapping[str, Any]], None] | None = None,
    report: Report = silent,
) -> dict[str, Any]:
    """Writes `plan.json`, `weights.safetensors`, `model.onnx`, `load.py`, `report.json` and `README.md`.

    Everything is written to a folder beside `directory`, checked there, and renamed at the end: the ONNX file against
    onnxruntime, load.py in a clean process, ``run:`` by reloading. An earlier bundle in `directory` stays until then.

    Args:
        module: the cut, recovered model.
        architecture: what `explorer.sources.build` makes the uncut network from.
        attributes: ``{layer: {attribute: value}}`` that `adapt` needs besides the tensors.
        plan: the plan as JSON.
        result: the object of the command `prune` (`base`, `pruned`, `target`, `achieved`, `groups`, …) with the run's
            `spec` and `versions`; all of it goes into the report.
        data: (input, label) pairs of the evaluation set.
        classes: how many outputs the model has, or their names.
        model: the ref of the base model, `data_ref` that of the data (None: unknown).
        measured: whether the labels of `data` mean anything.
        trained: whether the base model's weights were more than random.
        normalisation: mean and standard deviation per channel that inputs were normalised by, of pixels from 0 to 1.
        kind: what the model is for, a key of `TASK_KINDS`.
        example: a batch of inputs, where they are not images.
        tokenizer: what makes inputs of texts; its files go into `tokenizer/`.
        pruned_at: of weights of which single entries were set to zero, see `Outcome`; then `sparse.safetensors` and
            `pruned_at.safetensors` are written, too, and `sparse` of the report gets the bytes of the ONNX file, plain
            and deflated.
        further: writes more into the folder, given it and the report so far.

    Returns:
        The report: `result` with `onnx`, `checks`, `out`, and what ``run:`` refs read (`architecture`, `attributes`,
        `classes`, `input_shape`, `data`, `model`, `title`, `trained`).

    Raises:
        ExplorerError: the folder can't be written or holds something else, or a check fails; nothing is left behind.
        Cancelled: the report asked to stop; nothing is left behind either.
    """
    directory, input_shape = Path(directory), tuple(input_shape)
    names = [str(index) for index in range(classes)] if isinstance(classes, int) else list(classes)
    whole = dict(result) | {
        "title": title,
        "trained": trained,
        "model": model,
        "data": data_ref,
        "architecture": architecture,
        "attributes": attributes,
        "input_shape": list(input_shape),
        "classes": classes if isinstance(classes, int) else names,
        "kind": kind,
        "tokenizer": tokenizer is not None,
        "normalisation": dict(zip(("mean", "std"), map(list, normalisation), strict=True)) if normalisation else None,
        "out": str(directory),
    }
    images, labels = _evaluation_set(data, input_shape)
    with replacing(directory) as folder:
        report(0.0, "writing the weights")
        _write_json(folder / "plan.json", plan)
        safetensors.torch.save_file(weights(module), folder / "weights.safetensors", METADATA)
        shutil.copymode(folder / "plan.json", folder / "weights.safetensors")  # safetensors lets only the owner read
        if pruned_at:
            _write_packed(folder / SPARSE, weights(module), {name: at == 0 for name, at in pruned_at.items()})
            (folder / PRUNED_AT).write_bytes(safetensors.torch.save(dict(pruned_at), METADATA))
        script = loader_script(
            module,
            architecture=architecture,
            attributes=attributes,
            input_shape=input_shape,
            classes=len(names),
            title=title,
            outputs="" if TASK_KINDS[kind].classifies else _outputs(module, images),
        )
        (folder / "load.py").write_text(script, encoding="utf-8")
        if tokenizer is not None:
            tokenizer.save(folder / TOKENIZER)
        if further is not None:
            further(folder, whole)
        report(0.1, "writing the ONNX file")
        exported = export_onnx(module, input_shape if example is None else example, folder / "model.onnx")
        judged = labels if measured and TASK_KINDS[kind].classifies else None
        compared = check_onnx(folder / "model.onnx", module, images, judged, report=part(report, 0.4, 0.6))
        whole["onnx"] = exported | compared | {"top1": compared["top1_onnx"]}
        if pruned_at:
            whole["sparse"] = dict(whole["sparse"]) | _onnx_bytes(folder / "model.onnx")
        _write_json(folder / REPORT, whole)
        checks = verify_bundle(folder, module, images, report=part(report, 0.6, 1.0))
        whole["checks"] = [{"name": "model.onnx in onnxruntime"} | compared, *checks]
        _write_json(folder / REPORT, whole)
        files = FILES | {name: what for name, what in FURTHER.items() if (folder / name).is_file()}
        files |= {f"{name}/": what for name, what in FOLDERS.items() if (folder / name).is_dir()}
        (folder / "README.md").write_text(model_card(whole, files), encoding="utf-8")
    return whole


def _write_packed(path: Path, tensors: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> None:
    """Writes the packed weights, and reads them again.

    Raises:
        ExplorerError: a weight that a mask calls zero is none.
    """
    path.write_bytes(packed(tensors, masks))
    again, _ = unpacked(path)
    for name, tensor in tensors.items():
        if not torch.equal(again[name], tensor):
            raise ExplorerError(f"{name} has weights where its mask says that there are none: the bundle is not kept")


def _onnx_bytes(path: Path) -> dict[str, int]:
    content = path.read_bytes()
    return {"onnx_bytes": len(content), "onnx_deflated_bytes": len(zlib.compress(content))}


def _evaluation_set(data: Dataset, input_shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """As many of the evaluation inputs as fit the bound, and their labels.

    Raises:
        ExplorerError: there are none.
    """
    count = min(len(data), max(8, LARGEST_CHECK // math.prod(input_shape)))
    if count == 0:
        raise ExplorerError("an export is checked on real inputs and there are none: choose data with a test split")
    return fetch(data, torch.arange(count))


def _outputs(module: nn.Module, inputs: Tensor) -> str:
    """The shape of the module's outputs, for a person."""
    with evaluating(module, torch.device("cpu")), torch.inference_mode():
        return f"(batch, {', '.join(map(str, module(inputs[:2]).shape[1:]))})"


def _write_json(path: Path, value: Any) -> None:
    path.write_text(dumps(value, indent=1) + "\n", encoding="utf-8")
