"""Files that hold weights, or look as if they did, in formats that are not read here: what to do with each."""

import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.sources.weights.archives import is_archive

_HEAD = 1024  # bytes that say what a file is
_SAVE = "torch.save(model.state_dict(), PATH)"


def refuse_foreign(path: Path, name: str) -> None:
    """Nothing, where a file may be one of `torch.save` or of safetensors.

    Args:
        name: the path as a person wrote it.

    Raises:
        ExplorerError: it is of another format, or holds a program; what it is, and what to do.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    found = _PARTS.get(_suffix(name)) or next((told for is_one, told in _BEGINNINGS if is_one(head)), None)
    if found is None and is_archive(path):
        found = _in_archive(path) if zipfile.is_zipfile(path) else None
    elif found is None and head:
        found = _SUFFIXES.get(_suffix(name))
    if found is not None:
        raise ExplorerError(f"{Path(name).name!r} can't be opened as a state dict: it is {found}")


def foreign(name: str) -> str | None:
    """What a file of another format is, and what to do with it, by the ending of its name alone; None: not known."""
    return _PARTS.get(_suffix(name)) or _SUFFIXES.get(_suffix(name))


def _suffix(name: str) -> str:
    return Path(name).suffix.lower() or Path(name).name


def _begins(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(beginnings)


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def _is_web_page(head: bytes) -> bool:
    return head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html", b"<?xml"))


def _is_json(head: bytes) -> bool:
    return head.lstrip()[:1] in (b"{", b"[") and b'"' in head


_ONNX = "an ONNX graph, which is not read back: save the state dict of the network that it was exported from, " + _SAVE
_KERAS = (
    "of Keras or TensorFlow: build the same network in PyTorch, copy the weights into it (kernels are transposed"
    f" there), and {_SAVE}"
)
_TFLITE = f"a TensorFlow Lite model, whose weights are made for inference: {_SAVE} from the PyTorch network"
_GGUF = "a GGUF file of llama.cpp, whose weights are quantised: use the safetensors that it was made from"
_NUMPY = (
    "of NumPy arrays: torch.save({name: torch.from_numpy(array) for name, array in numpy.load(PATH).items()}, PATH)"
)
_ARRAY = "one array of NumPy: torch.save({NAME: torch.from_numpy(numpy.load(PATH))}, PATH)"
_JAX = f"of JAX or Flax: build the same network in PyTorch, copy the weights into it, and {_SAVE}"
_SCRIPT = (
    "a TorchScript archive, which holds a program: where that may run,"
    " torch.save(torch.jit.load(PATH).state_dict(), NEW_PATH)"
)
_EXPORTED = (
    "a program of torch.export: where that may be read, torch.save(torch.export.load(PATH).state_dict, NEW_PATH)"
)
_PACKED = "packed: unpack it and name the file in it"
_SHARDED = (
    "a text in JSON and no weights: if it lists the parts of a model that is saved in several, open the folder as"
    " hf:FOLDER, or join the parts into one state dict"
)

_BEGINNINGS: Sequence[tuple[Callable[[bytes], bool], str]] = (
    (_begins(b"\x89HDF\r\n\x1a\n"), f"an HDF5 file {_KERAS}"),
    (_begins(b"GGUF", b"ggml", b"tjgg"), _GGUF),
    (_begins(b"\x93NUMPY"), _ARRAY),
    (lambda head: head[4:8] == b"TFL3", _TFLITE),
    (lambda head: re.match(rb"\x08[\x01-\x1f](?:\x12.[\x20-\x7e]*|\x3a|\x42)", head, re.DOTALL) is not None, _ONNX),
    (_begins(b"version https://git-lfs"), "a pointer of Git LFS in place of the file: fetch it with git lfs pull"),
    (_is_web_page, "a web page, as when a download was refused: fetch the file again, signed in where that is needed"),
    (_begins(b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\x28\xb5\x2f\xfd"), _PACKED),
    (_is_tar, _PACKED),
    (_is_json, _SHARDED),
)
_SUFFIXES = {
    ".onnx": _ONNX,
    ".h5": f"an HDF5 file {_KERAS}",
    ".hdf5": f"an HDF5 file {_KERAS}",
    ".keras": f"a file {_KERAS}",
    ".tflite": _TFLITE,
    ".gguf": _GGUF,
    ".pb": f"a graph {_KERAS}",
    ".index": f"a checkpoint {_KERAS}",
    ".msgpack": f"a file {_JAX}",
    ".mlmodel": f"a model of Core ML: {_SAVE} from the PyTorch network",
    ".engine": f"a program of TensorRT: {_SAVE} from the PyTorch network",
    ".xml": f"a model of OpenVINO: {_SAVE} from the PyTorch network",
    ".npz": f"an archive {_NUMPY}",
    ".npy": _ARRAY,
}
"""Where the beginning says nothing."""
_DISTRIBUTED = (
    "a part of a distributed checkpoint: join the parts with"
    " python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER PATH"
)
_PARTS = {".distcp": _DISTRIBUTED, ".metadata": _DISTRIBUTED}
"""Where it looks like a file of `torch.save`."""


def _in_archive(path: Path) -> str | None:
    """What a zip archive is, if it is none of `torch.save`."""
    try:
        with zipfile.ZipFile(path) as archive:
            whole = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return None  # torch says in which way it is damaged
    names = {name.partition("/")[2] for name in whole}  # torch puts everything into one folder
    if "constants.pkl" in names or any(name.startswith("code/") for name in names):
        return _SCRIPT
    if "data.pkl" in names:
        return None
    if any(name.endswith(".npy") for name in whole):
        return f"an archive {_NUMPY}"
    if any(name.endswith(".weights.h5") for name in whole):
        return f"a model {_KERAS}"
    if "archive_format" in names or any(name.endswith("exported_program.json") for name in names):
        return _EXPORTED
    return _PACKED
