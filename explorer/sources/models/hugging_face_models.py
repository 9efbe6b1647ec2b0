"""`hf:ID` and `hf:FOLDER`: models of the Hugging Face hub, or of a folder in its formats."""

from typing import TYPE_CHECKING

from explorer.sources.refs import Place, folder_or_id
from explorer.sources.registries import model_source

if TYPE_CHECKING:
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.request import ModelRequest


@model_source(
    "hf",
    title="Hugging Face",
    explanation="A model from the hub or a folder, with its processor or tokenizer; safetensors only, and no code of "
    "the repository is run.",
    reference="https://huggingface.co/docs/transformers",
    takes="ID",
    outputs="labels",
    place=folder_or_id,
    rank=30,
)
def open_hugging_face(place: Place, request: "ModelRequest") -> "LoadedModel":
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.networks.hub_models import read

    held = read(place, request.shape, request.classes, request.kind)
    return LoadedModel(
        ref=place.ref,
        module=held.module,
        input_shape=held.input_shape,
        classes=held.classes,
        trained=held.trained,
        title=held.title,
        note=held.note,
        architecture=held.architecture,
        kind=held.kind,
        tokenizer=held.tokenizer,
        normalisation=held.normalisation,
    )
