"""Model refs → networks: `demo:NAME`, `torchvision:NAME[@WEIGHTS]`, `hf:ID`, `file:PATH#REF`, `run:DIR`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from explorer.errors import ExplorerError, unknown
from explorer.places import ASSETS
from explorer.sources import hub, pretrained
from explorer.sources.architectures import build, detector_names, every_torchvision_name, segmenter_names
from explorer.sources.data import describe_task, load_task
from explorer.sources.detection import Detector
from explorer.sources.refs import integer, one_line, split_query
from explorer.sources.segmenters import MainOutput
from explorer.sources.state_dicts import load_weights, read_json, read_tensors
from explorer.sources.task import KINDS, Task
from explorer.sources.text import Tokenizer

SCHEMES = ("demo", "torchvision", "hf", "run", "file")
_LARGEST_SIDE = 2048
_LONGEST_TEXT = 8192
TOKENIZER = "tokenizer"  # the folder of a saved run that holds its files


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A network as its ref names it: on the CPU, float32, in eval mode.

    `architecture` is what `build` makes the same network from, untrained; `data` the ref of the data it was
    trained on, if known; `note` what a person should know about it. `kind` is the task that it is made for,
    `input_shape` (C, H, W) of an image or (L,) of a text in tokens, which `tokenizer` makes, where there is one.
    `normalisation` is the (mean, std) per channel that its pictures want, None: those of the data.
    """

    ref: str
    module: nn.Module
    input_shape: tuple[int, ...]
    classes: int
    trained: bool
    title: str
    note: str
    architecture: dict[str, Any]
    data: str | None = None
    kind: str = "image-classification"
    tokenizer: Tokenizer | None = None
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] | None = None

    def example(self, batch: int = 1) -> Tensor:
        """Inputs that are always the same: normal noise (batch, C, H, W), or random token ids (batch, L)."""
        if len(self.input_shape) == 1:
            return hub.example_ids(self.module, self.input_shape[0], batch)
        return torch.randn(batch, *self.input_shape, generator=torch.Generator().manual_seed(0))


@dataclass(frozen=True)
class ModelEntry:
    """A line of the list of models."""

    ref: str
    title: str
    input_shape: tuple[int, int, int]
    trained: bool
    note: str


def load_model(
    ref: str,
    *,
    input_shape: tuple[int, ...] | None = None,
    classes: int | None = None,
    kind: str | None = None,
) -> LoadedModel:
    """The network named by `ref`.

    `input_shape` (channels, height, width), or (tokens,), replaces the native one. `classes` is how many outputs
    the data needs: an untrained network is built with as many, a trained one must have them. `kind` is the data's
    task, for which a Hugging Face model without a head gets one.

    Raises:
        ExplorerError: the ref names nothing, its files are missing or damaged, its weights can't be downloaded,
            or the input shape or the number of classes doesn't fit.
    """
    scheme, colon, rest = ref.partition(":")
    if not colon:
        raise _unknown_model(ref)
    if scheme not in SCHEMES:
        raise ExplorerError(f"unknown kind of model {scheme!r} in {ref!r}: use demo:, torchvision:, hf:, run: or file:")
    shape = None if input_shape is None else _checked(input_shape)
    if scheme == "hf":
        model = _hugging_face(rest, shape, classes, kind)
    else:
        loaders = {"demo": _demo, "torchvision": _torchvision, "file": _file, "run": _run}
        model = loaders[scheme](rest, shape, classes)
    if kind is not None and kind != model.kind:
        raise ExplorerError(f"the data is for {KINDS[kind]}, and {ref} is one of the {KINDS[model.kind]}")
    if classes is not None and model.classes != classes:
        raise ExplorerError(
            f"{ref} was made for {model.classes} classes but the data has {classes}: choose data with"
            f" {model.classes} classes, or an untrained model such as torchvision:resnet18"
        )
    if shape is not None and shape != model.input_shape:
        _try(model, shape)
        model = replace(model, input_shape=shape)
    return model


def load_pair(
    model_ref: str, data_ref: str | None = None, *, input_shape: tuple[int, ...] | None = None
) -> tuple[LoadedModel, Task]:
    """A model and the task to judge it by, made to fit each other.

    Without `data_ref` it is the data that the model was trained on, or `random`. An untrained network gets the
    data's classes; images are brought to the model's input.

    Raises:
        ExplorerError: see `load_model` and `load_task`.
    """
    if data_ref is None:
        model = load_model(model_ref, input_shape=input_shape)
        data_ref = model.data or "random"
    else:
        noise = data_ref.partition("?")[0] == "random"
        wanted = None if noise else describe_task(data_ref)
        model = load_model(
            model_ref,
            input_shape=input_shape,
            classes=wanted and len(wanted.classes),
            kind=wanted and wanted.kind,
        )
    return model, task_for(model, data_ref)


def task_for(model: LoadedModel, data_ref: str) -> Task:
    """The task to judge a model by, its inputs made as the model wants them.

    Raises:
        ExplorerError: see `load_task`; or the data is for another kind of model.
    """
    return load_task(
        data_ref,
        input_shape=model.input_shape,
        classes=model.classes,
        kind=model.kind,
        tokenizer=model.tokenizer,
        normalisation=model.normalisation,
    )


def ref_for(model: LoadedModel, data_ref: str) -> str:
    """The model's ref, with as many outputs as the data has classes where the network is new and leaves that open.

    Raises:
        ExplorerError: see `load_task`.
    """
    option = {"torchvision": "num_classes", "hf": "labels"}.get(model.ref.partition(":")[0])
    if model.trained or option is None or f"{option}=" in model.ref or data_ref.partition("?")[0] == "random":
        return model.ref
    wanted = describe_task(data_ref)
    if wanted.kind != model.kind or len(wanted.classes) == model.classes:
        return model.ref
    return f"{model.ref}{'&' if '?' in model.ref else '?'}{option}={len(wanted.classes)}"


def list_models() -> list[ModelEntry]:
    """Every ref that needs no path: the demo models, then torchvision's, untrained and with each set of weights."""
    entries = []
    for ref, record in demo_records().items():
        entries.append(ModelEntry(ref, record["title"], tuple(record["input_shape"]), True, _demo_note(record)))
    for name in every_torchvision_name():
        shape = (3, *[pretrained.native_size(name)] * 2)
        entries.append(ModelEntry(f"torchvision:{name}", name, shape, False, UNTRAINED))
        for weights in pretrained.weights_of(name):
            shape = (3, *[pretrained.crop_size(weights)] * 2)
            ref = f"torchvision:{name}@{weights.name}"
            entries.append(ModelEntry(ref, f"{name}, {weights.name}", shape, True, pretrained.describe(weights)))
    return entries


UNTRAINED = "untrained: random weights (seed 0)"


def demo_records() -> dict[str, dict[str, Any]]:
    """How each bundled checkpoint was trained, by ref: architecture, data, seed, time, test top-1.

    Raises:
        ExplorerError: the bundled files are missing or damaged.
    """
    return read_json(ASSETS / "demo.json")


def _demo(name: str, _shape: tuple[int, int, int] | None, _classes: int | None) -> LoadedModel:
    name, _ = split_query(name, {})
    ref, records = f"demo:{name}", demo_records()
    if ref not in records:
        raise unknown("demo model", ref, records)
    record = records[ref]
    module = build(record["architecture"])
    load_weights(module, read_tensors(ASSETS / f"{name}.safetensors"), ref)
    return LoadedModel(
        ref=ref,
        module=module,
        input_shape=tuple(record["input_shape"]),
        classes=record["architecture"]["arguments"]["classes"],
        trained=True,
        title=record["title"],
        note=_demo_note(record),
        architecture=record["architecture"],
        data=record["data"],
    )


def _demo_note(record: dict[str, Any]) -> str:
    return f"bundled: trained for {record['epochs']} epochs on {record['train_images']:,} images of {record['data']}"


def _torchvision(rest: str, shape: tuple[int, int, int] | None, classes: int | None) -> LoadedModel:
    ref = f"torchvision:{rest}"
    body, options = split_query(rest, {"num_classes": integer(1, 100_000)})
    name, at, weights_name = body.partition("@")
    if name not in every_torchvision_name():
        raise unknown("torchvision model", name, every_torchvision_name())
    if not at:
        return _untrained(ref, name, options.get("num_classes", classes or 1000), shape)
    weights = pretrained.find_weights(name, weights_name)
    architecture = {"family": "torchvision", "name": name, "arguments": pretrained.arguments(name, weights)}
    count = architecture["arguments"]["num_classes"]
    wanted = options.get("num_classes", classes)
    if wanted not in (None, count):  # before a download in vain
        raise ExplorerError(
            f"the weights {weights_name} of {name} give {count} classes, not {wanted}: leave them out"
            f" (torchvision:{name}?num_classes={wanted}) or choose data with {count} classes"
        )
    module = build(architecture)
    load_weights(module, _wrapped(module, pretrained.download(name, weights)), ref)
    native = pretrained.crop_size(weights)
    note, title = pretrained.describe(weights), f"{name}, {weights_name}"
    return LoadedModel(
        ref,
        module,
        (3, native, native),
        count,
        True,
        title,
        note,
        architecture,
        kind=_torchvision_kind(name),
        normalisation=_of_transform(module),
    )


def _untrained(ref: str, name: str, classes: int, shape: tuple[int, int, int] | None) -> LoadedModel:
    native = pretrained.native_size(name)
    arguments = pretrained.untrained_arguments(name) | {"num_classes": classes}
    if name.startswith("vit_") and shape is not None and shape[1] == shape[2]:
        patch = int(name.rpartition("_")[2])
        if shape[1] % patch:
            raise ExplorerError(f"{ref} can't take input {_text(shape)}: its sides must be multiples of {patch}")
        native = arguments["image_size"] = shape[1]  # its position embedding is made for one size
    architecture = {"family": "torchvision", "name": name, "arguments": arguments}
    module = build(architecture)
    return LoadedModel(
        ref,
        module,
        (3, native, native),
        classes,
        False,
        name,
        UNTRAINED,
        architecture,
        kind=_torchvision_kind(name),
        normalisation=_of_transform(module),
    )


def _torchvision_kind(name: str) -> str:
    if name in detector_names():
        return "detection"
    return "segmentation" if name in segmenter_names() else "image-classification"


def _of_transform(module: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """The mean and standard deviation that a detector of torchvision would apply by itself."""
    if not isinstance(module, Detector):
        return None
    transform = module.model.transform
    return tuple(transform.image_mean), tuple(transform.image_std)


def _wrapped(module: nn.Module, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's names for weights brought to those of the module; auxiliary heads, which it lacks, left out."""
    if not isinstance(module, MainOutput | Detector) or all(name.startswith("model.") for name in tensors):
        return tensors
    return {f"model.{name}": tensor for name, tensor in tensors.items() if not name.startswith("aux_classifier.")}


def _hugging_face(rest: str, shape: tuple[int, ...] | None, classes: int | None, kind: str | None) -> LoadedModel:
    found = hub.read(rest, shape, classes, kind)
    return LoadedModel(
        ref=f"hf:{rest}",
        module=found.module,
        input_shape=found.input_shape,
        classes=found.classes,
        trained=found.trained,
        title=found.title,
        note=found.note,
        architecture=found.architecture,
        kind=found.kind,
        tokenizer=found.tokenizer,
        normalisation=found.normalisation,
    )


def _file(rest: str, shape: tuple[int, int, int] | None, classes: int | None) -> LoadedModel:
    path, mark, base_ref = rest.rpartition("#")
    if not mark or base_ref.partition(":")[0] not in ("demo", "torchvision"):
        raise ExplorerError(
            f"file:{rest} does not say which network the weights belong to: write file:PATH#torchvision:NAME"
        )
    tensors = read_tensors(path)
    base = load_model(base_ref, input_shape=shape, classes=classes)
    load_weights(base.module, _wrapped(base.module, tensors), path)
    ref, title = f"file:{rest}", f"{base.title} with {Path(path).name}"
    return replace(base, ref=ref, trained=True, title=title, note=f"weights from {path}")


def _run(directory: str, _shape: tuple[int, int, int] | None, _classes: int | None) -> LoadedModel:
    from explorer.structure import adapt  # structure stands above sources; only reading a saved cut needs it

    folder = Path(directory).expanduser()
    if not (folder / "report.json").is_file():
        raise ExplorerError(f"run:{directory} is no saved model: there is no {folder / 'report.json'}")
    report, tensors = read_json(folder / "report.json"), read_tensors(folder / "weights.safetensors")
    try:
        architecture, attributes = report["architecture"], report["attributes"]
        classes, shape = report["classes"], tuple(int(size) for size in report["input_shape"])
        base, title, data = report["model"], report["title"], report["data"]
        module = build(architecture)
        adapt(module, tensors, attributes)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ExplorerError(f"the saved model in {directory!r} is damaged: {_reason(error)}") from None
    return LoadedModel(
        ref=f"run:{directory}",
        module=module.eval(),
        input_shape=shape,
        classes=classes if isinstance(classes, int) else len(classes),
        trained=bool(report.get("trained", True)),
        title=title,
        note=f"pruned from {base}",
        architecture=architecture,
        data=data,
        kind=report.get("kind", "image-classification"),
        tokenizer=hub.read_tokenizer(folder / TOKENIZER, shape[0]) if (folder / TOKENIZER).is_dir() else None,
        normalisation=_pair(report.get("normalisation")),
    )


def _pair(normalisation: dict[str, Any] | None) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    return normalisation and (tuple(normalisation["mean"]), tuple(normalisation["std"]))


def _reason(error: Exception) -> str:
    return f"report.json lacks {error}" if isinstance(error, KeyError) else one_line(error)


def _checked(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) == 1 and isinstance(shape[0], int) and 1 <= shape[0] <= _LONGEST_TEXT:
        return shape
    if len(shape) != 3 or not all(isinstance(size, int) and 1 <= size <= _LARGEST_SIDE for size in shape):
        raise ExplorerError(
            f"input {_text(shape)} is no image: give channels, height and width up to {_LARGEST_SIDE}, 3x224x224,"
            f" or for texts the number of tokens, up to {_LONGEST_TEXT}"
        )
    return shape[0], shape[1], shape[2]


@torch.no_grad()
def _try(model: LoadedModel, shape: tuple[int, ...]) -> None:
    if len(shape) != len(model.input_shape):
        wanted = "images: write 3x224x224" if len(model.input_shape) == 3 else "texts: write the number of tokens, 64"
        raise ExplorerError(f"{model.ref} can't take input {_text(shape)}: it reads {wanted}")
    try:
        model.module(replace(model, input_shape=shape).example())
    except (RuntimeError, AssertionError, ValueError, IndexError) as error:
        raise ExplorerError(
            f"{model.ref} can't take input {_text(shape)} (its own is {_text(model.input_shape)}): {one_line(error)}"
        ) from None


def _text(shape: tuple[int, ...]) -> str:
    return "×".join(str(size) for size in shape)


def _unknown_model(ref: str) -> ExplorerError:
    refs = [*demo_records(), *(f"torchvision:{name}" for name in every_torchvision_name())]
    by_name = {known.partition(":")[2]: known for known in refs}
    if ref in by_name:
        return ExplorerError(f"unknown model {ref!r}: did you mean {by_name[ref]}?")
    return unknown("model", ref, refs)
