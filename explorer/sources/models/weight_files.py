"""`file:PATH#REF`: a state dict from a file, for the network of another ref."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.errors import ExplorerError
from explorer.sources.refs import Place, path_and_ref
from explorer.sources.registries import MODEL_SOURCES, model_source

if TYPE_CHECKING:
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.request import ModelRequest


@model_source(
    "file",
    title="Weights in a file",
    explanation="A state dict (.safetensors, .pth or .pt) for the network that stands after the #; nothing in it is "
    "run.",
    takes="PATH#REF",
    place=path_and_ref,
    rank=50,
)
def open_file(place: Place, request: "ModelRequest") -> "LoadedModel":
    from explorer.sources.loading import load_model
    from explorer.sources.networks.pretrained import named_for
    from explorer.sources.networks.state_dicts import load_weights, read_tensors

    scheme = place.rest.partition(":")[0]
    if scheme not in MODEL_SOURCES or not MODEL_SOURCES[scheme].base:
        raise ExplorerError(
            f"{place.ref} does not say which network the weights belong to: write file:PATH#torchvision:NAME"
        )
    tensors = read_tensors(place.file, place.name)
    base = load_model(place.rest, input_shape=request.shape, classes=request.classes)
    load_weights(base.module, named_for(base.module, tensors), place.name)
    title = f"{base.title} with {Path(place.name).name}"
    return replace(base, ref=place.ref, trained=True, title=title, note=f"weights from {place.name}")
