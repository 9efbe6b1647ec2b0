"""`torchvision:NAME[@WEIGHTS]`: the classifiers, segmentation networks and detectors of torchvision."""

from typing import TYPE_CHECKING

from explorer.errors import ExplorerError, unknown
from explorer.sources.networks.torchvision_table import UNTRAINED, torchvision_entries
from explorer.sources.refs import integer, split_query
from explorer.sources.registries import model_source

if TYPE_CHECKING:
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.request import ModelRequest


@model_source(
    "torchvision",
    title="torchvision",
    explanation="Any classifier, segmentation network or object detector of torchvision, untrained or with published "
    "weights.",
    reference="https://pytorch.org/vision/stable/models.html",
    takes="NAME",
    entries=torchvision_entries,
    outputs="num_classes",
    base=True,
    rank=20,
)
def open_torchvision(rest: str, request: "ModelRequest") -> "LoadedModel":
    from explorer.sources.networks.architectures import every_torchvision_name

    body, options = split_query(rest, {"num_classes": integer(1, 100_000)})
    name, at, weights = body.partition("@")
    if name not in every_torchvision_name():
        raise unknown("torchvision model", name, every_torchvision_name())
    classes = options.get("num_classes", request.classes)
    if at:
        return _pretrained(f"torchvision:{rest}", name, weights, classes)
    return _untrained(f"torchvision:{rest}", name, classes or 1000, request.shape)


def _pretrained(ref: str, name: str, weights_name: str, classes: int | None) -> "LoadedModel":
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.networks import pretrained
    from explorer.sources.networks.architectures import build, torchvision_kind
    from explorer.sources.networks.state_dicts import load_weights

    weights = pretrained.find_weights(name, weights_name)
    architecture = {"family": "torchvision", "name": name, "arguments": pretrained.arguments(name, weights)}
    count = architecture["arguments"]["num_classes"]
    if classes not in (None, count):  # before a download in vain
        raise ExplorerError(
            f"the weights {weights_name} of {name} give {count} classes, not {classes}: leave them out"
            f" (torchvision:{name}?num_classes={classes}) or choose data with {count} classes"
        )
    module = build(architecture)
    load_weights(module, pretrained.named_for(module, pretrained.download(name, weights)), ref)
    side = pretrained.crop_size(weights)
    return LoadedModel(
        ref=ref,
        module=module,
        input_shape=(3, side, side),
        classes=count,
        trained=True,
        title=f"{name}, {weights_name}",
        note=pretrained.describe(weights),
        architecture=architecture,
        kind=torchvision_kind(name),
        normalisation=pretrained.normalisation_of(module),
    )


def _untrained(ref: str, name: str, classes: int, shape: tuple[int, ...] | None) -> "LoadedModel":
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.networks import pretrained
    from explorer.sources.networks.architectures import build, torchvision_kind

    side = pretrained.native_size(name)
    arguments = pretrained.untrained_arguments(name) | {"num_classes": classes}
    if name.startswith("vit_") and shape is not None and shape[1] == shape[2]:
        patch = int(name.rpartition("_")[2])
        if shape[1] % patch:
            wanted = "×".join(map(str, shape))
            raise ExplorerError(f"{ref} can't take input {wanted}: its sides must be multiples of {patch}")
        side = arguments["image_size"] = shape[1]  # its position embedding is made for one size
    architecture = {"family": "torchvision", "name": name, "arguments": arguments}
    module = build(architecture)
    return LoadedModel(
        ref=ref,
        module=module,
        input_shape=(3, side, side),
        classes=classes,
        trained=False,
        title=name,
        note=UNTRAINED,
        architecture=architecture,
        kind=torchvision_kind(name),
        normalisation=pretrained.normalisation_of(module),
    )
