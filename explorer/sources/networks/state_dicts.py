"""State dicts: the tensors of a file that holds nothing else, and their way into a network."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.sources.weights.containers import open_container
from explorer.sources.weights.pickles import Declared, Inert


def read_tensors(path: Path, name: str | None = None) -> dict[str, Tensor]:
    """The tensors of a file of safetensors or `torch.save`, on the CPU.

    One that wraps its tensors as ``{"state_dict": …}`` or ``{"model": …}`` is unwrapped; for any other way in which
    they can lie in a file see `explorer.sources.weights.fitting`.

    Args:
        name: the path as a person wrote it.

    Raises:
        ExplorerError: the file is missing, damaged, of another kind, too large, or holds anything but tensors.
    """
    container = open_container(path, name)
    content = _unwrapped(container.content)
    check_state_dict(content, path)
    return {name.removeprefix("module."): tensor for name, tensor in container.read(content).items()}


def load_weights(module: nn.Module, tensors: dict[str, Tensor], source: str) -> None:
    """Copies `tensors` into `module`, which must have exactly these names and shapes.

    Raises:
        ExplorerError: something is missing, left over or of another shape; it names a few.
    """
    wanted = shapes_of(module)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    told = problems(
        missing=sorted(wanted.keys() - shapes.keys() - optional(module)),
        unexpected=sorted(shapes.keys() - wanted.keys()),
        misshapen=[of_another_shape(n, shapes[n], wanted[n]) for n in wanted if n in shapes and shapes[n] != wanted[n]],
    ) or _told("that are no floating-point numbers", _of_other_numbers(module, tensors))
    if told:
        raise ExplorerError(f"the weights in {source} don't fit the network: {told}")
    state = OrderedDict(tensors)
    state._metadata = module.state_dict(keep_vars=True)._metadata  # type: ignore[attr-defined] # MNASNet asks for it
    module.load_state_dict(state, strict=False)


def shapes_of(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """The shapes of all tensors of a network's state dict, which can hold other things, too."""
    return {name: tuple(entry.shape) for name, entry in module.state_dict().items() if isinstance(entry, Tensor)}


def optional(module: nn.Module) -> set[str]:
    """Buffers that a file may lack: whole numbers can be derived, or count what no longer matters."""
    return {name for name, buffer in module.named_buffers() if not buffer.is_floating_point()}


def problems(*, missing: list[str], unexpected: list[str], misshapen: list[str]) -> str:
    """What keeps weights from fitting, a few of each kind by name; empty: nothing."""
    shown_ones = [shown(name) for name in unexpected]
    kinds = {"missing": missing, "unexpected": shown_ones, "of another shape": misshapen}
    return "; ".join(_told(what, names) for what, names in kinds.items() if names)


def of_another_shape(name: str, shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> str:
    """An entry of `problems`; None in `wanted` is any size."""
    sizes = tuple("any" if size is None else size for size in wanted)
    return f"{shown(name)} {shape} instead of {sizes}"


def check_state_dict(content: Any, path: Path) -> None:
    """Refuses what is no state dict of dense tensors.

    Raises:
        ExplorerError: it names the first that is none.
    """
    if not isinstance(content, dict) or not content:
        raise ExplorerError(f"{str(path)!r} holds no state dict: save model.state_dict()")
    for name, value in content.items():
        problem = "is no name" if not isinstance(name, str) else ""
        if not problem and not isinstance(value, Declared):
            problem = f"is no tensor but {shown(value.origin) if isinstance(value, Inert) else type(value).__name__}"
        if not problem and value.odd:
            problem = f"is {value.odd}"
        if problem:
            raise ExplorerError(
                f"{str(path)!r} holds no state dict: its entry {_short(name)} {problem}; save model.state_dict() with"
                " dense tensors"
            )


def few(names: list[str]) -> str:
    """Some names from a file, in words."""
    return _some([shown(name) for name in names[:4]])


def shown(name: str) -> str:
    """A name from a file, within one line of some length."""
    return name if name.isprintable() and len(name) <= 80 else _short(name)


def _told(what: str, names: list[str]) -> str:
    return f"{len(names)} {what} ({_some(names)})" if names else ""


def _some(texts: list[str]) -> str:
    return ", ".join(texts[:3]) + (", …" if len(texts) > 3 else "")


def _of_other_numbers(module: nn.Module, tensors: dict[str, Tensor]) -> list[str]:
    """Parameters whose values the file has as whole or complex numbers, which copying would turn into other ones."""
    return [
        name
        for name, parameter in module.named_parameters()
        if name in tensors and parameter.is_floating_point() and not tensors[name].is_floating_point()
    ]


def _unwrapped(content: Any) -> Any:
    for wrapper in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    return content


def _short(name: object) -> str:
    text = ascii(name)
    return text if len(text) <= 80 else text[:77] + "…"
