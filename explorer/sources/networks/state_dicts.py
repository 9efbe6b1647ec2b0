"""State dicts from files, without ever unpickling code."""

import pickle
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from explorer import memory
from explorer.errors import ExplorerError, one_line
from explorer.sources.networks.archives import Declared, declared

_SUFFIXES = (".safetensors", ".pth", ".pt")


def read_tensors(path: Path, name: str | None = None) -> dict[str, Tensor]:
    """The tensors of a `.safetensors`, `.pth` or `.pt` file, on the CPU.

    A `.pth` that wraps its tensors as ``{"state_dict": …}`` or ``{"model": …}`` is unwrapped.

    Args:
        name: the path as a person wrote it; its ending says what the file is, which may be a link's.

    Raises:
        ExplorerError: the file is missing, damaged, of another kind, too large, or holds anything but tensors.
    """
    name = name or str(path)
    suffix = Path(name).suffix
    try:
        if not path.is_file():
            raise ExplorerError(f"there is no file {name!r}: check the path")
        if suffix not in _SUFFIXES:
            raise ExplorerError(
                f"can't read weights from {Path(name).name!r}: use .safetensors, .pth or .pt with a state dict"
            )
        return _read_safetensors(path) if suffix == ".safetensors" else _read_torch(path)
    except OSError as error:
        raise ExplorerError(f"can't read {name!r}: {error.strerror or one_line(error)}") from None


def load_weights(module: nn.Module, tensors: dict[str, Tensor], source: str) -> None:
    """Copies `tensors` into `module`, which must have exactly these names and shapes.

    Raises:
        ExplorerError: something is missing, left over or of another shape; it names a few.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    optional = {name for name, buffer in module.named_buffers() if not buffer.is_floating_point()}  # can be derived
    problems = [
        ("missing", sorted(wanted.keys() - shapes.keys() - optional)),
        ("unexpected", sorted(shapes.keys() - wanted.keys())),
        (
            "of another shape",
            [f"{n} {shapes[n]} instead of {wanted[n]}" for n in wanted if n in shapes and shapes[n] != wanted[n]],
        ),
    ]
    if not any(names for _, names in problems):
        problems = [("that are no floating-point numbers", _of_other_numbers(module, tensors))]
    told = [f"{len(names)} {what} ({_few(names)})" for what, names in problems if names]
    if told:
        raise ExplorerError(f"the weights in {source} don't fit the network: {'; '.join(told)}")
    state = OrderedDict(tensors)
    state._metadata = module.state_dict(keep_vars=True)._metadata  # MNASNet refuses to load without its version
    module.load_state_dict(state, strict=False)


def _of_other_numbers(module: nn.Module, tensors: dict[str, Tensor]) -> list[str]:
    """Parameters whose values the file has as whole or complex numbers, which copying would turn into other ones."""
    return [
        name
        for name, parameter in module.named_parameters()
        if name in tensors and parameter.is_floating_point() and not tensors[name].is_floating_point()
    ]


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    memory.require(2 * path.stat().st_size, f"reading {str(path)!r}", "save fewer tensors in it")
    try:
        return load_file(path)
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise ExplorerError(f"{str(path)!r} is damaged: {one_line(error)}; fetch or write it again") from None


def _read_torch(path: Path) -> dict[str, Tensor]:
    try:
        _check(_unwrapped(declared(path)), path)
        with warnings.catch_warnings(action="ignore"):  # about the kind of file; what matters is raised
            content = _unwrapped(torch.load(path, map_location="cpu", weights_only=True))
    except pickle.UnpicklingError:
        raise ExplorerError(
            f"{str(path)!r} holds more than tensors, and what it holds could run code, so it was not opened: "
            "save the state dict alone"
        ) from None
    except ExplorerError:
        raise
    except Exception as error:  # torch raises of many kinds over a file that somebody has changed
        raise ExplorerError(f"{str(path)!r} is damaged: {one_line(error)}") from None
    return {name.removeprefix("module."): value for name, value in content.items()}


def _unwrapped(content: Any) -> Any:
    for wrapper in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    return content


def _check(content: Any, path: Path) -> None:
    """Refuses what is no state dict of dense tensors.

    Raises:
        ExplorerError: it names the first that is none.
    """
    if not isinstance(content, dict) or not content:
        raise ExplorerError(f"{str(path)!r} holds no state dict: save model.state_dict()")
    for name, value in content.items():
        problem = "is no name" if not isinstance(name, str) else ""
        if not problem and not isinstance(value, Declared):
            problem = f"is no tensor but {type(value).__name__}"
        if not problem and value.odd:
            problem = f"is {value.odd}"
        if problem:
            raise ExplorerError(
                f"{str(path)!r} holds no state dict: its entry {_short(name)} {problem}; save model.state_dict() with"
                " dense tensors"
            )


def _short(name: object) -> str:
    text = ascii(name)
    return text if len(text) <= 80 else text[:77] + "…"
