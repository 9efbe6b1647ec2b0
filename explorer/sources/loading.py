"""Model refs → networks, data refs → tasks, made to fit each other."""

import math
from dataclasses import replace

import torch

from explorer import memory
from explorer.errors import ExplorerError, unknown
from explorer.sources.finding.candidate import MODEL
from explorer.sources.finding.search import search
from explorer.sources.listing import list_models
from explorer.sources.loaded import LoadedModel, in_words
from explorer.sources.reading.texts import Tokenizer
from explorer.sources.refs import check_text
from explorer.sources.registries import DATA_SOURCES, MODEL_SOURCES, DataSource
from explorer.sources.request import Description, InputRequest, ModelRequest, Normalisation
from explorer.sources.turning import LARGEST_SIDE, turn
from explorer.tasks import TASK_KINDS, Task

DEFAULT_DATA = "random"  # of models that were trained on nothing that is known
_AT_ONCE = 256  # inputs of a batch
_LONGEST_TEXT = 8192


class OtherClassesError(ExplorerError):
    """Model and data are of one kind, but of different numbers of classes: training could give the model a new head."""


def load_model(
    ref: str,
    *,
    input_shape: tuple[int, ...] | None = None,
    classes: int | None = None,
    kind: str | None = None,
) -> LoadedModel:
    """The network named by `ref`.

    Args:
        input_shape: (channels, height, width), or (tokens,), in place of the native one.
        classes: how many outputs the data needs: an untrained network is built with as many, a trained one must have
            them.
        kind: the data's kind of task, for which a Hugging Face model without a head gets one.

    Raises:
        ExplorerError: the ref names nothing, its files are missing or damaged, its weights can't be downloaded,
            or the input shape or the number of classes doesn't fit.
    """
    scheme, colon, rest = check_text(ref).partition(":")
    if not colon:
        raise _unknown_model(ref)
    if scheme not in MODEL_SOURCES:
        *others, last = (f"{name}:" for name in MODEL_SOURCES)
        raise ExplorerError(f"unknown kind of model {scheme!r} in {ref!r}: use {', '.join(others)} or {last}")
    shape = None if input_shape is None else _checked(input_shape)
    source = MODEL_SOURCES[scheme]
    model = source.function(source.place(ref) if source.place else rest, ModelRequest(shape, classes, kind))
    _check_input(model)
    _check_numbers(model)
    turn(model)
    if kind is not None and kind != model.kind:
        wanted, offered = TASK_KINDS[kind].models, TASK_KINDS[model.kind].models
        raise ExplorerError(f"the data is for {wanted}, and {ref} is one of the {offered}")
    if classes is not None and model.classes != classes:
        raise OtherClassesError(
            f"{ref} was made for {model.classes} classes but the data has {classes}: choose data with"
            f" {model.classes} classes, or train it for these (python -m explorer train)"
        )
    return model if shape is None else model.taking(shape)


def load_task(
    ref: str,
    *,
    input_shape: tuple[int, ...] | None = None,
    classes: int | None = None,
    kind: str | None = None,
    tokenizer: Tokenizer | None = None,
    normalisation: Normalisation | None = None,
    inputs: torch.Tensor | None = None,
) -> Task:
    """The task named by `ref`, its inputs made as a model wants them.

    Without `input_shape` images keep their own size (folders: 3×224×224). The parts of a task are fixed: the same ref
    gives the same examples in the same parts.

    Args:
        input_shape: (channels, height, width), or (tokens,).
        classes: the number of the model's outputs.
        kind: what the model is made for, a key of `TASK_KINDS`.
        tokenizer: makes the model's inputs of texts.
        normalisation: (mean, std) of pictures, a number per channel; None: the data's own.
        inputs: one input of a model that takes neither pictures nor texts, (1, …).

    Raises:
        ExplorerError: the ref is unknown, its data can't be read or downloaded, or doesn't fit the model.
    """
    source = _data_source(ref)
    if input_shape is not None and inputs is None:
        size = 4 * _AT_ONCE * math.prod(_checked(input_shape))
        memory.require(size, f"{_AT_ONCE} inputs of {in_words(input_shape)}", "use a smaller --input")
    request = InputRequest(input_shape, classes, tokenizer, normalisation, inputs)
    task = source.function(source.place(ref) if source.place else ref, request)
    if kind is not None and source.noise:
        return replace(task, kind=kind)
    if kind is not None and task.kind != kind:
        offered, wanted = TASK_KINDS[task.kind].models, TASK_KINDS[kind].models
        raise ExplorerError(f"{ref} is for {offered}, and the model is one of the {wanted}")
    if classes is not None and task.classes and len(task.classes) != classes:
        raise OtherClassesError(
            f"{ref} has {len(task.classes)} classes but the model gives {classes}: choose the data it was trained on,"
            " or train it for these (python -m explorer train)"
        )
    return task


def describe_task(ref: str) -> Description:
    """The kind and classes of the data that `ref` names, without making any inputs of it where that takes a tokenizer.

    Raises:
        ExplorerError: see `load_task`.
    """
    source = _data_source(ref)
    told = source.describe(source.place(ref) if source.place else ref) if source.describe else None
    if isinstance(told, Description):
        return told
    task = load_task(ref)
    return Description(task.kind, task.classes)


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
        return model, task_for(model, model.data or DEFAULT_DATA)
    wanted = None if _data_source(data_ref).noise else describe_task(data_ref)
    model = load_model(
        model_ref,
        input_shape=input_shape,
        classes=(wanted and len(wanted.classes)) or None,
        kind=wanted and wanted.kind,
    )
    return model, task_for(model, data_ref)


def task_for(model: LoadedModel, data_ref: str) -> Task:
    """The task to judge a model by, its inputs made as the model wants them.

    Raises:
        ExplorerError: see `load_task`; or the data is for another kind of model.
    """
    if model.task is not None and data_ref == model.data:
        return model.task
    return load_task(
        data_ref,
        input_shape=model.input_shape,
        classes=model.classes,
        kind=model.kind,
        tokenizer=model.tokenizer,
        normalisation=model.normalisation,
        inputs=model.inputs,
    )


def ref_for(model: LoadedModel, data_ref: str) -> str:
    """The model's ref, with as many outputs as the data has classes where the network is new.

    Raises:
        ExplorerError: see `load_task`.
    """
    if not can_take_any_classes(model) or _data_source(data_ref).noise:
        return model.ref
    wanted = describe_task(data_ref)
    if wanted.kind != model.kind or len(wanted.classes) == model.classes:
        return model.ref
    option = MODEL_SOURCES[model.ref.partition(":")[0]].outputs
    name, _, query = model.ref.partition("?")
    others = [item for item in query.split("&") if item and not item.startswith(f"{option}=")]
    return f"{name}?{'&'.join([*others, f'{option}={len(wanted.classes)}'])}"


def can_take_any_classes(model: LoadedModel) -> bool:
    """Whether the network is new, so that nothing is lost when it is made with another number of outputs."""
    return not model.trained and bool(MODEL_SOURCES[model.ref.partition(":")[0]].outputs)


def takes_any_classes(model: LoadedModel) -> bool:
    """Whether the network is new, and its ref leaves open how many outputs it has."""
    option = MODEL_SOURCES[model.ref.partition(":")[0]].outputs
    return can_take_any_classes(model) and f"{option}=" not in model.ref


def _data_source(ref: str) -> DataSource:
    """The source that a data ref names."""
    scheme, colon, _ = check_text(ref).partition(":")
    taking = colon and scheme in DATA_SOURCES and DATA_SOURCES[scheme].takes
    name = scheme if taking else ref.partition("?")[0]
    if name in DATA_SOURCES and bool(DATA_SOURCES[name].takes) == bool(taking):
        return DATA_SOURCES[name]
    known = []
    for source in DATA_SOURCES.values():
        if source.entries is not None:
            known += [entry for entry, _ in source.entries()]
        else:
            known.append(f"{source.name}:{source.takes}" if source.takes else source.name)
    raise unknown("data", ref, known)


def _checked(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of an image or of a text, if it is one.

    Raises:
        ExplorerError: it is none, or absurdly large.
    """
    if len(shape) == 1 and isinstance(shape[0], int) and 1 <= shape[0] <= _LONGEST_TEXT:
        return shape
    if len(shape) != 3 or not all(isinstance(size, int) and 1 <= size <= LARGEST_SIDE for size in shape):
        raise ExplorerError(
            f"input {in_words(shape)} is no image: give channels, height and width up to {LARGEST_SIDE}, 3x224x224,"
            f" or for texts the number of tokens, up to {_LONGEST_TEXT}"
        )
    return shape[0], shape[1], shape[2]


def _check_input(model: LoadedModel) -> None:
    """Refuses a model whose own input is none: configurations can say anything.

    Raises:
        ExplorerError: it names the model.
    """
    if model.inputs is not None:
        return
    try:
        _checked(model.input_shape)
    except ExplorerError as error:
        raise ExplorerError(f"{model.ref} can't be used: its {error}") from None


def _check_numbers(model: LoadedModel) -> None:
    """Refuses weights with which nothing can be computed.

    Raises:
        ExplorerError: some are NaN or infinite; it names the first.
    """
    if not model.trained:
        return
    broken = [name for name, tensor in model.module.named_parameters() if not tensor.isfinite().all()]
    broken += [
        name for name, tensor in model.module.named_buffers() if tensor.isnan().any()
    ]  # of infinities masks are made
    if broken:
        raise ExplorerError(
            f"the weights of {model.ref} hold NaN or infinity in {len(broken)} tensors ({broken[0]}, …): the training"
            " that they come from went wrong, use those of an earlier step"
        )


def _unknown_model(ref: str) -> ExplorerError:
    """The error for a text that is no ref: it says the ref that is the likeliest to be meant."""
    if meant := [candidate.ref for candidate in search(ref, kind=MODEL, most=1)]:
        return ExplorerError(f"unknown model {ref!r}: did you mean {meant[0]}?")
    return unknown("model", ref, [entry.ref for entry in list_models() if "@" not in entry.ref])
