"""A new last layer for a trained network whose classes are not those of the data."""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.modules import watching
from explorer.sources.loaded import LoadedModel
from explorer.sources.loading import describe_task, load_model, takes_any_classes, task_for
from explorer.sources.networks.architectures import with_outputs
from explorer.structure import adapt
from explorer.tasks import Task


def load_to_train(
    model_ref: str, data_ref: str, *, input_shape: tuple[int, ...] | None = None, seed: int = 0
) -> tuple[LoadedModel, Task]:
    """A model that can be trained on the data, and its task.

    A new network is built with the data's classes, one that has others already gets a new last layer.

    Raises:
        ExplorerError: see `load_model`, `load_task` and `head_of`.
    """
    wanted = describe_task(data_ref)
    model, classes = load_model(model_ref, input_shape=input_shape, kind=wanted.kind), len(wanted.classes)
    if classes not in (0, model.classes):
        if takes_any_classes(model):
            model = load_model(model_ref, input_shape=input_shape, kind=wanted.kind, classes=classes)
        else:
            model = with_new_head(model, classes, seed)
    return model, task_for(model, data_ref)


def with_new_head(model: LoadedModel, classes: int, seed: int = 0) -> LoadedModel:
    """The model with a random last layer for so many classes in place of its own; all else keeps its weights.

    Its module is changed in place.

    Raises:
        ExplorerError: see `head_of`.
    """
    layer = model.module.get_submodule(head_of(model))
    adapt(layer, _fresh(layer, classes, seed))
    return replace(
        model,
        classes=classes,
        architecture=with_outputs(model.architecture, classes),
        note=f"{model.note}; with a new last layer for {classes} classes",
    )


def head_of(model: LoadedModel) -> str:
    """The path of the linear layer or convolution whose outputs are the model's, a channel for every class.

    It is the last one that is called and proves right: where each of its channels is given a number of its own, the
    model's outputs are these numbers.

    Raises:
        ExplorerError: there is none.
    """
    called: list[str] = []
    layers = {path: layer for path, layer in model.module.named_modules() if _fits(layer, model.classes)}

    def noting(path: str):
        return lambda layer, inputs, output: called.append(path)

    example = model.example()
    with torch.inference_mode():
        with watching(model.module, {path: noting(path) for path in layers}):
            model.module(example)
        for path in dict.fromkeys(reversed(called)):
            if _decides(model.module, path, layers[path], example, model.classes):
                return path
    raise ExplorerError(
        f"{model.ref} can't get a new last layer: its {model.classes} outputs are not those of one linear layer or "
        "convolution; choose data with as many classes, or an untrained network"
    )


def _fits(layer: nn.Module, classes: int) -> bool:
    """Whether a layer has a channel for every class, in weights of its own."""
    if not isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d) or layer._parameters.get("weight") is None:
        return False
    return layer.weight.shape[0] == classes and getattr(layer, "groups", 1) == 1


def _decides(module: nn.Module, path: str, layer: nn.Module, example: Tensor, classes: int) -> bool:
    """Whether the channels of a layer are the module's outputs, (batch, classes, …)."""
    numbers = torch.arange(1.0, classes + 1)

    def marked(layer: nn.Module, inputs: object, output: Tensor) -> Tensor:
        return _along(numbers, output, -1 if isinstance(layer, nn.Linear) else 1)

    with watching(module, {path: marked}):
        outputs = module(example)
    wanted = isinstance(outputs, Tensor) and outputs.dim() > 1 and outputs.shape[1] == classes
    return wanted and torch.allclose(outputs, _along(numbers, outputs, 1), rtol=1e-4)


def _along(numbers: Tensor, tensor: Tensor, axis: int) -> Tensor:
    """Numbers along an axis, in a tensor's shape and type."""
    shape = [1] * tensor.dim()
    shape[axis] = -1
    return numbers.to(tensor).view(shape).expand(tensor.shape).contiguous()


def _fresh(layer: nn.Module, classes: int, seed: int) -> dict[str, Tensor]:
    """Random tensors of such a layer for so many classes, within ±1/√n for sums over n inputs, as torch begins."""
    generator = torch.Generator().manual_seed(seed)
    bound = 1 / math.sqrt(layer.weight[0].numel())
    return {
        name: (torch.rand(classes, *tensor.shape[1:], generator=generator) * 2 - 1) * bound
        for name, tensor in layer.state_dict().items()
    }
