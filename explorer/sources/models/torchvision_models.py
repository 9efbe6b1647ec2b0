"""`torchvision:NAME[@WEIGHTS]`: the classifiers, segmentation networks and detectors of torchvision."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from explorer.errors import ExplorerError, unknown
from explorer.sources.networks.torchvision_table import UNTRAINED, torchvision_entries
from explorer.sources.refs import integer, one_of, split_query
from explorer.sources.registries import model_source
from explorer.sources.turning import READING, read_as, sized

if TYPE_CHECKING:
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.request import ModelRequest

_SMALL = 32  # pixels a side, of pictures as CIFAR's
_OPTIONS = {"num_classes": integer(1, 100_000), "in": integer(1, 64), "stem": one_of("cifar"), **READING}


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

    body, options = split_query(rest, _OPTIONS)
    name, at, weights = body.partition("@")
    if name not in every_torchvision_name():
        raise unknown("torchvision model", name, every_torchvision_name())
    if at:
        model = _pretrained(f"torchvision:{rest}", name, weights, options, request.classes)
    else:
        model = _untrained(f"torchvision:{rest}", name, options, sized(request, options, options.get("in", 3)))
    return read_as(model, options, request)


def _pretrained(
    ref: str, name: str, weights_name: str, options: Mapping[str, Any], classes: int | None
) -> "LoadedModel":
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.networks import pretrained
    from explorer.sources.networks.architectures import build, torchvision_kind
    from explorer.sources.networks.state_dicts import load_weights

    if told := [key for key in ("stem", "in") if key in options]:
        raise ExplorerError(f"{ref} gives the first layer other sizes than its weights have: leave {told[0]}= out")
    classes = options.get("num_classes", classes)
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
        normalisation=pretrained.normalisation_of(module, weights),
    )


def _untrained(ref: str, name: str, options: Mapping[str, Any], request: "ModelRequest") -> "LoadedModel":
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.networks import pretrained
    from explorer.sources.networks.architectures import build, torchvision_kind
    from explorer.tasks import TASK_KINDS

    shape, kind = request.shape, torchvision_kind(name)
    channels, side = options.get("in", 3), pretrained.native_size(name)
    arguments = pretrained.untrained_arguments(name)
    arguments["num_classes"] = options.get("num_classes", request.classes or 1000)
    if "stem" in options or "in" in options:
        if not TASK_KINDS[kind].classifies:
            raise ExplorerError(f"{ref} is no classifier: stem= and in= are options of classifiers")
        arguments |= {"stem": {"channels": channels, "small": "stem" in options}}
        side = _SMALL if "stem" in options else side
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
        input_shape=(channels, side, side),
        classes=arguments["num_classes"],
        trained=False,
        title=name,
        note=UNTRAINED,
        architecture=architecture,
        kind=kind,
        normalisation=pretrained.normalisation_of(module),
    )
