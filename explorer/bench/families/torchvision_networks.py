"""Every classifier, segmentation network and detector of torchvision."""

from functools import partial

import torch

from explorer.bench.families.family import CLASSES, PIXELS, Builder, Family, Made
from explorer.sources.networks.architectures import build, segmenter_names, torchvision_names
from explorer.sources.networks.detectors import DETECTORS, build_detector

_PIXELS = {"inception_v3": 299, "googlenet": 224, "maxvit_t": 224}
_DETECTION = tuple(name for name in DETECTORS if name != "detr")
_DETECTION_PIXELS = {"ssd300_vgg16": 300, "ssdlite320_mobilenet_v3_large": 160}  # others: 128


def _made(name: str, pixels: int, **arguments: int) -> Made:
    description = {"family": "torchvision", "name": name, "arguments": {"num_classes": CLASSES, **arguments}}
    return build(description), torch.randn(2, 3, pixels, pixels)


def _classifier(name: str) -> Made:
    if name.startswith("vit_"):  # four patches a side
        pixels = 4 * int(name.rpartition("_")[2])
        return _made(name, pixels, image_size=pixels)
    return _made(name, _PIXELS.get(name, 96 if name.startswith("swin") else PIXELS))


def _detector(name: str) -> Made:
    pixels = _DETECTION_PIXELS.get(name, 128)
    return build_detector(name, CLASSES), torch.randn(2, 3, pixels, pixels)


_BUILDERS: dict[str, Builder] = {
    **{name: partial(_classifier, name) for name in torchvision_names()},
    **{name: partial(_made, name, 96) for name in segmenter_names()},
    **{name: partial(_detector, name) for name in _DETECTION},
}
TORCHVISION = Family("torchvision", _BUILDERS, settled=frozenset(_DETECTION))
