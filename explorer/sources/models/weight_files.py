"""`file:PATH#REF`: a state dict from a file, for the network of another ref."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.errors import ExplorerError
from explorer.sources.registries import MODEL_SOURCES, model_source

if TYPE_CHECKING:
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.request import ModelRequest


def place(rest: str) -> Path:
    """Where the weights lie."""
    path, mark, base = rest.rpartition("#")
    return Path(path if mark else base).expanduser()


@model_source(
    "file",
    title="Weights in a file",
    explanation="A state dict (.safetensors, .pth or .pt) for the network that stands after the #; nothing in it is "
    "run.",
    takes="PATH#REF",
    path=place,
    rank=50,
)
def open_file(rest: str, request: "ModelRequest") -> "LoadedModel":
    from explorer.sources.loading import load_model
    from explorer.sources.networks.pretrained import named_for
    from explorer.sources.networks.state_dicts import load_weights, read_tensors

    path, mark, base_ref = rest.rpartition("#")
    scheme = base_ref.partition(":")[0]
    if not mark or scheme not in MODEL_SOURCES or not MODEL_SOURCES[scheme].base:
        raise ExplorerError(
            f"file:{rest} does not say which network the weights belong to: write file:PATH#torchvision:NAME"
        )
    tensors = read_tensors(path)
    base = load_model(base_ref, input_shape=request.shape, classes=request.classes)
    load_weights(base.module, named_for(base.module, tensors), path)
    ref, title = f"file:{rest}", f"{base.title} with {Path(path).name}"
    return replace(base, ref=ref, trained=True, title=title, note=f"weights from {path}")
