"""State dicts from files, without ever unpickling code."""

import pickle
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from explorer.errors import ExplorerError, one_line


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a `.safetensors`, `.pth` or `.pt` file, on the CPU.

    A `.pth` that wraps its tensors as ``{"state_dict": …}`` or ``{"model": …}`` is unwrapped.

    Raises:
        ExplorerError: the file is missing, damaged, of another kind, or holds anything but tensors.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ExplorerError(f"there is no file {str(path)!r}: check the path")
    readers = {".safetensors": _read_safetensors, ".pth": _read_torch, ".pt": _read_torch}
    if path.suffix not in readers:
        raise ExplorerError(f"can't read weights from {path.name!r}: use .safetensors, .pth or .pt with a state dict")
    try:
        return readers[path.suffix](path)
    except OSError as error:
        raise ExplorerError(f"can't read {str(path)!r}: {error.strerror or one_line(error)}") from None


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
    told = [f"{len(names)} {what} ({_few(names)})" for what, names in problems if names]
    if told:
        raise ExplorerError(f"the weights in {source} don't fit the network: {'; '.join(told)}")
    state = OrderedDict(tensors)
    state._metadata = module.state_dict(keep_vars=True)._metadata  # MNASNet refuses to load without its version
    module.load_state_dict(state, strict=False)


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ExplorerError(f"{str(path)!r} is damaged: {one_line(error)}; fetch or write it again") from None


def _read_torch(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings(action="ignore"):  # about the kind of file; what matters is raised
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ExplorerError(
            f"{str(path)!r} holds more than tensors, and what it holds could run code, so it was not opened: "
            "save the state dict alone"
        ) from None
    except (RuntimeError, EOFError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
        raise ExplorerError(f"{str(path)!r} is damaged: {one_line(error)}") from None
    for wrapper in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ExplorerError(f"{str(path)!r} holds no state dict: save model.state_dict()")
    return {name.removeprefix("module."): value for name, value in content.items()}
