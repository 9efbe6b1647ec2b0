"""`timm:NAME[@TAG]`: any network of timm, untrained or with its published weights."""

from typing import TYPE_CHECKING, Any

from explorer.errors import ExplorerError
from explorer.sources.networks.torchvision_table import UNTRAINED
from explorer.sources.refs import integer, split_query
from explorer.sources.registries import ModelEntry, model_source
from explorer.sources.turning import READING, read_as, sized

if TYPE_CHECKING:
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.request import ModelRequest

_OPTIONS = {"num_classes": integer(1, 100_000), "in": integer(1, 64), **READING}
_IMAGENET = 1000  # classes, where timm has a network without an output
# By the side of their pictures: small ones of every kind; each of the others opens by its name, too.
LISTED = {
    "cspresnet50": 256, "convnext_atto": 224, "convnextv2_atto": 224, "deit_tiny_patch16_224": 224,
    "edgenext_xx_small": 256, "efficientnet_lite0": 224, "eva02_tiny_patch14_336": 336, "fastvit_t8": 256,
    "fbnetc_100": 224, "ghostnet_100": 224, "levit_128s": 224, "mixer_s16_224": 224, "mobilenetv3_small_100": 224,
    "mobilenetv4_conv_small": 224, "mobilevit_xxs": 256, "poolformer_s12": 224, "regnety_004": 224, "repvgg_a0": 224,
    "resnet18": 224, "resnet50": 224, "seresnet18": 224, "swin_tiny_patch4_window7_224": 224,
    "tf_efficientnet_lite0": 224, "tf_efficientnetv2_b0": 192, "vit_tiny_patch16_224": 224, "xcit_nano_12_p16_224": 224,
}  # fmt: skip


def timm_entries() -> list[ModelEntry]:
    """Some of them, untrained."""
    return [
        ModelEntry(f"timm:{name}", f"timm {name}", (3, side, side), False, UNTRAINED) for name, side in LISTED.items()
    ]


@model_source(
    "timm",
    title="timm",
    explanation="Any network of timm, untrained or with the published weights of a tag.",
    reference="https://huggingface.co/docs/timm",
    takes="NAME",
    entries=timm_entries,
    outputs="num_classes",
    base=True,
    rank=25,
)
def open_timm(rest: str, request: "ModelRequest") -> "LoadedModel":
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.networks.architectures import build
    from explorer.sources.networks.timm_networks import pretrained_timm, settings_of

    ref = f"timm:{rest}"
    body, options = split_query(rest, _OPTIONS)
    name, _, tag = body.partition("@")
    asked = sized(request, options, options.get("in", 3)).shape
    settings = settings_of(name, tag)
    classes, shape = options.get("num_classes", request.classes), tuple(settings.input_size)
    arguments: dict[str, Any] = {"num_classes": classes or settings.num_classes or _IMAGENET}
    if tag:
        if "in" in options or classes not in (None, settings.num_classes):
            raise ExplorerError(
                f"the weights {tag} of {name} are for {settings.num_classes} classes of pictures with {shape[0]} "
                f"channels: leave them out (timm:{name}) or choose data with {settings.num_classes} classes"
            )
        arguments["num_classes"] = settings.num_classes
        module = pretrained_timm(name, tag)
    else:
        if "in" in options:
            arguments["in_chans"] = options["in"]
            shape = (options["in"], *shape[1:])
        if settings.fixed_input_size and asked is not None and asked[1:] != shape[1:]:
            arguments["img_size"] = list(asked[1:])  # its table of positions is made for one size
            shape = (shape[0], *asked[1:])
        module = build({"family": "timm", "name": name, "arguments": arguments})
    own = (tuple(settings.mean), tuple(settings.std)) if len(settings.mean) == shape[0] else None
    model = LoadedModel(
        ref=ref,
        module=module,
        input_shape=shape,
        classes=arguments["num_classes"],
        trained=bool(tag),
        title=f"{name}, {tag}" if tag else name,
        note=f"weights {tag} of timm, licence {settings.license or 'not told'}" if tag else UNTRAINED,
        architecture={"family": "timm", "name": name, "arguments": arguments},
        normalisation=own,
    )
    return read_as(model, options, request)
