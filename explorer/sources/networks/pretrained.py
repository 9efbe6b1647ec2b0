"""What torchvision knows about its models: native sizes, weights, and the arguments that rebuild them."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models import WeightsEnum

from explorer.errors import ExplorerError, unknown
from explorer.sources.networks.detectors import Detector
from explorer.sources.networks.segmenters import MainOutput
from explorer.sources.networks.state_dicts import read_tensors
from explorer.sources.refs import network_reason

_FROZEN = (
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_resnet50_fpn",
    "fcos_resnet50_fpn",
    "retinanet_resnet50_fpn",
)
_DETECTOR_SIZES = {"SSD300_VGG16_Weights": 300}
_OLD_DENSENET_NAME = re.compile(r"(.*denselayer\d+\.(?:norm|conv))\.([12]\..*)")


def weights_of(name: str) -> list[WeightsEnum]:
    """All sets of weights of a torchvision model that can be loaded.

    Those of the first detectors have frozen batch norms with another epsilon than the layers that are built here.
    """
    return [] if name in _FROZEN else list(models.get_model_weights(name))


def find_weights(name: str, weights: str) -> WeightsEnum:
    """The set of weights called `weights`.

    Raises:
        ExplorerError: the model has none of that name.
    """
    known = {entry.name: entry for entry in weights_of(name)}
    if not known:
        raise ExplorerError(
            f"the published weights of {name} have frozen batch norms, which can't be pruned here: use another"
            " detector, such as ssdlite320_mobilenet_v3_large, or leave the weights out"
        )
    default = models.get_model_weights(name).DEFAULT
    if weights not in known and weights != "DEFAULT":
        raise unknown(f"weights of {name}", weights, known)
    return known.get(weights, default)


def crop_size(weights: WeightsEnum) -> int:
    """Height and width of the images that these weights expect."""
    keywords = getattr(weights.transforms, "keywords", {})
    if not keywords:  # detectors resize by themselves
        return _DETECTOR_SIZES.get(type(weights).__name__, 320)
    return int(keywords.get("crop_size", keywords.get("resize_size")))  # segmentation does not crop


@lru_cache
def native_size(name: str) -> int:
    """Height and width that an untrained model is made for: 224, 299 for Inception, …"""
    if name.startswith("vit_"):
        return 224  # some of its weights were trained at other sizes, the architecture's default is this
    if name in _FROZEN:
        return 320
    if name in models.list_models(module=models.segmentation):
        return 224  # segmentation takes any size; the 520 of its weights are a long wait on a processor
    return crop_size(weights_of(name)[0])


def untrained_arguments(name: str) -> dict[str, Any]:
    """Arguments of the builder besides the number of classes; auxiliary heads stay."""
    if name in ("googlenet", "inception_v3"):
        return {"aux_logits": True, "init_weights": False}  # its own initialisation takes half a minute
    return {}


def arguments(name: str, weights: WeightsEnum) -> dict[str, Any]:
    """Arguments that build the architecture which a set of weights belongs to."""
    chosen = untrained_arguments(name) | {"num_classes": len(weights.meta["categories"])}
    if name in ("googlenet", "inception_v3"):
        chosen["transform_input"] = True
    if name.startswith("vit_"):
        chosen["image_size"] = crop_size(weights)
    return chosen


def describe(weights: WeightsEnum) -> str:
    """Published accuracy and download size, in a sentence."""
    metrics = {name: value for values in weights.meta["_metrics"].values() for name, value in values.items()}
    accuracy = f"ImageNet top-1 {metrics['acc@1']:.1f} % (published), " if "acc@1" in metrics else ""
    if "box_map" in metrics:
        accuracy = f"COCO box mAP {metrics['box_map']:.1f} % (published), "
    if "miou" in metrics:
        accuracy = f"COCO mIoU {metrics['miou']:.1f} % (published), "
    return f"{accuracy}{weights.meta['_file_size']:.0f} MB download"


def download(name: str, weights: WeightsEnum) -> dict[str, Tensor]:
    """The tensors of a set of weights, from torch's cache or from the network.

    Raises:
        ExplorerError: they can't be fetched, or what came is damaged.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]
    digest = re.search(r"-([0-9a-f]{8,})\.", path.name)
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(weights.url, str(path), digest and digest[1], progress=False)
    except (OSError, RuntimeError) as error:
        raise ExplorerError(
            f"the weights {weights.name} of {name} could not be downloaded ({network_reason(error)}): check the"
            f" network, or use torchvision:{name} without weights"
        ) from None
    tensors = read_tensors(path)
    if name.startswith("densenet"):
        return {_OLD_DENSENET_NAME.sub(r"\1\2", key): tensor for key, tensor in tensors.items()}
    return tensors


def named_for(module: nn.Module, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's names for weights brought to those of the module; auxiliary heads, which it lacks, left out."""
    if not isinstance(module, MainOutput | Detector) or all(name.startswith("model.") for name in tensors):
        return tensors
    left_out = left_out_of(module)
    return {f"model.{name}": tensor for name, tensor in tensors.items() if not name.startswith(left_out)}


def left_out_of(module: nn.Module) -> tuple[str, ...]:
    """Beginnings of names in torchvision's weights that the module lacks on purpose."""
    return ("aux_classifier.",) if isinstance(module, MainOutput | Detector) else ()


def normalisation_of(
    module: nn.Module, weights: WeightsEnum | None = None
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """The mean and standard deviation that a detector of torchvision would apply by itself, or that weights expect."""
    if not isinstance(module, Detector):
        preset = weights and weights.transforms()
        return (tuple(preset.mean), tuple(preset.std)) if preset else None
    transform = module.model.transform
    return tuple(transform.image_mean), tuple(transform.image_std)
