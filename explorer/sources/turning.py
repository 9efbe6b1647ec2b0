"""What a model's ref may say of its pictures beside their normalisation: their size, the order of channels, of classes.

Networks trained by other programs may read blue, green, red, or number the classes in another order. The first, or the
last, layer is turned once when the network is opened, so that everything behind it reads pictures and labels as usual.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from explorer.errors import ExplorerError
from explorer.sources.normalising import NORMALISING, chosen
from explorer.sources.refs import one_of
from explorer.sources.registries import MODEL_SOURCES

if TYPE_CHECKING:
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.request import ModelRequest


LARGEST_SIDE = 2048  # pixels of a picture


def _order(text: str) -> tuple[int, ...]:
    numbers = text.split(",")
    if not all(number.isdecimal() for number in numbers) or sorted(map(int, numbers)) != list(range(len(numbers))):
        raise ValueError("give the number of an output for each class, from 0, each once, with commas between them")
    return tuple(map(int, numbers))


def _sides(text: str) -> tuple[int, int]:
    sides = text.lower().replace("×", "x").split("x")
    if len(sides) > 2 or not all(side.isdecimal() and 1 <= int(side) <= LARGEST_SIDE for side in sides):
        raise ValueError(f"give the pixels of a side, or of height and width as 96x128, up to {LARGEST_SIDE}")
    return int(sides[0]), int(sides[-1])


READING: Mapping[str, Callable[[str], Any]] = {
    **NORMALISING,
    "channels": one_of("bgr"),
    "outputs": _order,
    "size": _sides,
}


def sized(request: "ModelRequest", options: Mapping[str, Any], channels: int) -> "ModelRequest":
    """The request with the size of pictures that a ref's options say, unless the data asks for one."""
    if "size" not in options or request.shape is not None:
        return request
    return replace(request, shape=(channels, *options["size"]))


def read_as(model: "LoadedModel", options: Mapping[str, Any], request: "ModelRequest") -> "LoadedModel":
    """The model as its ref's options say that it reads pictures and numbers classes.

    Raises:
        ExplorerError: they contradict each other, or don't fit the model.
    """
    channels, order = model.input_shape[0], options.get("outputs", ())
    if order and len(order) != model.classes:
        raise ExplorerError(f"{model.ref!r} orders {len(order)} outputs, and the network has {model.classes}")
    if "channels" in options and channels != 3:
        raise ExplorerError(f"{model.ref!r} turns channels, and its pictures have {channels}: leave channels=bgr out")
    normalisation = chosen(model.ref, options, channels, model.normalisation) if len(model.input_shape) == 3 else None
    model = replace(model, normalisation=normalisation, bgr="channels" in options, order=order)
    asked = "size" in options and request.shape is None
    return model.taking((channels, *options["size"])) if asked else model


def turn(model: "LoadedModel") -> None:
    """Turns the first and the last layer, in place, as `read_as` said.

    Raises:
        ExplorerError: the network has no such layer.
    """
    import torch
    from torch import nn

    from explorer.modules import watching

    if not (model.bgr or model.order):
        return
    example = model.example()
    calls: list[tuple[nn.Module, Any, torch.Tensor]] = []  # of layers: the first input and the output

    def seen(layer: nn.Module, given: tuple, out: torch.Tensor) -> None:
        calls.append((layer, given[0] if given else None, out))

    layers = {name: seen for name, part in model.module.named_modules() if isinstance(part, nn.Conv2d | nn.Linear)}
    with torch.no_grad(), watching(model.module, layers):
        answers = model.module(example)
    first = [layer for layer, given, _ in calls if given is example]
    last = [layer for layer, _, out in calls if _same(out, answers)]
    with torch.no_grad():
        if model.bgr:
            layer = _require(first, model, "reads pictures", "channels=bgr")
            layer.weight.copy_(layer.weight.flip(1))
        if model.order:
            layer, rows = _require(last, model, "gives the classes", "outputs="), list(model.order)
            for tensor in filter(None.__ne__, (layer.weight, layer.bias)):
                tensor.copy_(tensor[rows])
        turned = model.module(example.flip(1) if model.bgr else example)
        expected = answers[:, list(model.order)] if model.order else answers
        if not torch.allclose(turned, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max())):
            raise ExplorerError(f"{model.ref} can't be turned: more than its first and last layer see the order")


def _same(out: Any, answers: Any) -> bool:
    return out is answers or (out.numel() == answers.numel() and bool((out.flatten() == answers.flatten()).all()))


def _require(found: list[Any], model: "LoadedModel", does: str, option: str) -> Any:
    if len(found) != 1:
        raise ExplorerError(f"{model.ref} has no single layer that {does}, which could be turned: leave {option} out")
    return found[0]


def with_options(ref: str, options: Mapping[str, str]) -> str | None:
    """The ref with further options, which replace those of the same names; None where its source has none of them."""
    head, mark, base = ref.rpartition("#") if ref.startswith("file:") else ("", "", ref)
    scheme = base.partition(":")[0]
    if scheme not in MODEL_SOURCES or not MODEL_SOURCES[scheme].base:
        return None
    body, _, query = base.partition("?")
    dropped = {*options, *(NORMALISING if "normalise" in options else ())}
    kept = [item for item in query.split("&") if item and item.partition("=")[0] not in dropped]
    added = [f"{key}={value}" for key, value in options.items() if value]
    return f"{head}{mark}{body}" + (f"?{'&'.join([*kept, *added])}" if kept or added else "")
