"""Detection networks as networks of one tensor: prepared pixels in, the raw outputs of their heads out.

torchvision's and transformers' detectors take lists, resize them, and end in a suppression of overlapping boxes
that depends on the data. The wrappers here stop before that, so that a detector can be analysed, masked, cut,
counted and exported like any network; `detect` and `detector_loss` run the network's own rest. The network is
the child `model` with its own tensors. Pixels are normalised beforehand and enter at their size.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import detection
from torchvision.models.detection.ssd import SSDFeatureExtractorVGG
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import box_convert, roi_align

from explorer.errors import ExplorerError, unknown

Boxes = dict[str, Tensor]  # boxes (n, 4) as x1, y1, x2, y2 in pixels, labels (n,) int64; detections: scores (n,)

ONE_STAGE = (
    "ssdlite320_mobilenet_v3_large", "ssd300_vgg16", "retinanet_resnet50_fpn", "retinanet_resnet50_fpn_v2",
    "fcos_resnet50_fpn",
)  # fmt: skip
TWO_STAGE = (
    "fasterrcnn_mobilenet_v3_large_320_fpn", "fasterrcnn_mobilenet_v3_large_fpn", "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
)  # fmt: skip
DETECTORS = (*ONE_STAGE, *TWO_STAGE, "detr")
GRID = 2  # boxes a side that stand for proposals, on every level of the pyramid


class Detector(nn.Module):
    """A detection network, `model`, as a network of one tensor."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    @torch.no_grad()
    def detect(self, pixels: Tensor) -> list[Boxes]:
        """Objects found in every image, the most certain first, by the network's own post-processing.

        Runs in evaluation mode, whatever mode the network is in.

        Args:
            pixels: float (batch, 3, height, width), normalised.
        """
        with _modes_kept(self):
            self.eval()
            return self._detect(pixels)

    def _detect(self, pixels: Tensor) -> list[Boxes]:
        return self.model(list(pixels))

    def loss(self, pixels: Tensor, targets: Sequence[Boxes]) -> Tensor:
        """See `detector_loss`."""
        return detector_loss(self, pixels, targets)


class OneStageDetector(Detector):
    """torchvision's SSD, SSDlite, RetinaNet or FCOS: pixels (batch, 3, height, width) → (batch, anchors, values).

    Values are the raw logits of the classes, four box offsets, and for FCOS the centre-ness; anchors of all
    levels follow one another. The images' means and deviations that the network expects stay in
    `model.transform`.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        model.transform.__class__ = _AsTheyCome
        if type(model.backbone) is SSDFeatureExtractorVGG:
            model.backbone.__class__ = _CuttableVGG
            model.backbone.unit_length = _UnitLength()

    def forward(self, pixels: Tensor) -> Tensor:
        outputs = self.model.head(list(_pyramid(self.model, pixels).values()))
        parts = (outputs.get(name) for name in ("cls_logits", "bbox_regression", "bbox_ctrness"))
        return torch.cat([part for part in parts if part is not None], -1)


class TwoStageDetector(Detector):
    """torchvision's Faster R-CNN: pixels (batch, 3, height, width) → (batch, values).

    Values are the proposal network's objectness and box offsets, and the class logits and box offsets of the box
    head on `GRID` × `GRID` boxes that cover the image, on every level it reads. So every parameter has a part in
    them, and nothing depends on what is in the image. Costs are those of this pass: in use, the box head runs
    on as many boxes as the network proposes.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        model.transform.__class__ = _AsTheyCome

    def forward(self, pixels: Tensor) -> Tensor:
        features, heads = _pyramid(self.model, pixels), self.model.roi_heads
        objectness, offsets = self.model.rpn.head(list(features.values()))
        boxes = heads.box_predictor(heads.box_head(self._pooled(features, pixels)))
        parts = [part.flatten(1) for part in (*objectness, *offsets)]
        return torch.cat([*parts, *(part.reshape(len(pixels), -1) for part in boxes)], 1)

    def _pooled(self, features: dict[str, Tensor], pixels: Tensor) -> Tensor:
        """The boxes' features: (batch · boxes · levels, channel, height, width)."""
        pool, boxes = self.model.roi_heads.box_roi_pool, _grid_of_boxes(pixels)
        levels = [
            roi_align(level, boxes, pool.output_size, _scale(level, pixels), pool.sampling_ratio)
            for name, level in features.items()
            if name in pool.featmap_names
        ]
        return torch.stack(levels, 1).flatten(0, 1)


class QueryDetector(Detector):
    """transformers' DETR: pixels (batch, 3, height, width) → (batch, queries, classes + 1 + 4).

    Values are the logits of the classes and of "no object", and the box as centre and size in fractions of the
    image (Carion et al. 2020).
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        for layer in list(model.modules()):
            for name, child in layer.named_children():
                if type(child).__name__ == "DetrSinePositionEmbedding":
                    setattr(layer, name, SinePositions(child))

    def forward(self, pixels: Tensor) -> Tensor:
        out = self.model(pixel_values=pixels, return_dict=True)
        return torch.cat([out.logits, out.pred_boxes], -1)

    def _detect(self, pixels: Tensor) -> list[Boxes]:
        raw = self(pixels)
        scores, labels = raw[..., :-4].softmax(-1)[..., :-1].max(-1)
        corners = box_convert(raw[..., -4:], "cxcywh", "xyxy") * _extent(pixels)
        order = scores.argsort(descending=True)
        return [
            {"boxes": b[i], "labels": found[i], "scores": s[i]}
            for b, found, s, i in zip(corners, labels, scores, order, strict=True)
        ]


def detector_loss(detector: Detector, pixels: Tensor, targets: Sequence[Boxes]) -> Tensor:
    """The network's own training loss, a scalar: the sum of its parts as it weighs them.

    In evaluation mode the same loss, without dropout and with batch norms that stay as they are.

    Args:
        pixels: float (batch, 3, height, width), normalised.
        targets: for every image `boxes` (n, 4) as x1, y1, x2, y2 in pixels and `labels` (n,) int64. For torchvision's
            networks label 0 is the background.
    """
    if isinstance(detector, QueryDetector):
        size = _extent(pixels)
        labels = [
            {"class_labels": t["labels"], "boxes": box_convert(t["boxes"] / size, "xyxy", "cxcywh")} for t in targets
        ]
        return detector.model(pixel_values=pixels, labels=labels, return_dict=True).loss
    with _asked_for_losses(detector.model):
        return sum(detector.model(list(pixels), list(targets)).values())


def build_detector(name: str, classes: int, **arguments: Any) -> Detector:
    """An untrained detection network in evaluation mode, with the same random weights every time.

    Args:
        name: one of `DETECTORS`.
        classes: how many labels there are; for torchvision's networks they include the background, label 0.
        arguments: what else the builder of torchvision takes; for "detr" entries of transformers' DetrConfig, where
            `backbone_config` may be a dict with `model_type`.

    Raises:
        ExplorerError: there is no such network, or its builder does not take these arguments.
    """
    if name not in DETECTORS:
        raise unknown("detector", name, DETECTORS)
    wrapper = wrapper_of(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            if wrapper is QueryDetector:
                return wrapper(_detr(classes, arguments)).eval()
            model = getattr(detection, name)(weights=None, weights_backbone=None, num_classes=classes, **arguments)
        except (TypeError, ValueError, AssertionError, RuntimeError) as error:
            raise ExplorerError(f"{name} can't be built with {arguments}: {str(error).strip()[:200]}") from None
        return wrapper(model).eval()


def wrapper_of(name: str) -> type[Detector]:
    """The class that makes one of `DETECTORS` a network of one tensor."""
    return OneStageDetector if name in ONE_STAGE else TwoStageDetector if name in TWO_STAGE else QueryDetector


def _detr(classes: int, arguments: dict[str, Any]) -> nn.Module:
    import transformers
    from huggingface_hub.errors import StrictDataclassError

    transformers.logging.set_verbosity_error()
    arguments = {"backbone_config": {"model_type": "resnet"}, **arguments}
    try:
        config = transformers.DetrConfig(num_labels=classes, use_timm_backbone=False, **arguments)
    except StrictDataclassError as error:
        raise ValueError(" ".join(str(error).split())) from error
    network = transformers.DetrForObjectDetection(config)
    network.model.unfreeze_backbone()  # transformers freezes it as if it were pretrained
    return network


# Parts of the networks -----------------------------------------------------------------------------------


def _pyramid(model: nn.Module, pixels: Tensor) -> dict[str, Tensor]:
    features = model.backbone(pixels)
    return {"0": features} if isinstance(features, Tensor) else features


def _grid_of_boxes(pixels: Tensor) -> Tensor:
    """Boxes that cover every image of a batch: (batch · boxes, 5), image number and corners."""
    height, width = pixels.shape[-2] / GRID, pixels.shape[-1] / GRID
    cells = [
        (column * width, row * height, (column + 1) * width, (row + 1) * height)
        for row in range(GRID)
        for column in range(GRID)
    ]
    image = torch.arange(len(pixels), device=pixels.device).repeat_interleave(len(cells))
    return torch.cat([image[:, None].to(pixels.dtype), pixels.new_tensor(cells).repeat(len(pixels), 1)], 1)


def _scale(level: Tensor, pixels: Tensor) -> float:
    """Pixels of a feature map per pixel of the image, a power of two, as torchvision finds it."""
    return 2.0 ** round(math.log2(level.shape[-2] / pixels.shape[-2]))


def _extent(pixels: Tensor) -> Tensor:
    height, width = pixels.shape[-2:]
    return pixels.new_tensor([width, height, width, height])


@contextmanager
def _modes_kept(module: nn.Module) -> Iterator[None]:
    """Afterwards every layer is in the mode in which it was. This file is copied beside models and stands alone."""
    modes = [(layer, layer.training) for layer in module.modules()]
    try:
        yield
    finally:
        for layer, mode in modes:
            layer.training = mode


@contextmanager
def _asked_for_losses(model: nn.Module) -> Iterator[None]:
    """torchvision's detectors give losses in training mode only; their layers stay in the mode they are in."""
    asked = [model, *(getattr(model, name) for name in ("rpn", "roi_heads") if hasattr(model, name))]
    with _modes_kept(model):
        for layer in asked:
            layer.training = True
        yield


class _AsTheyCome(GeneralizedRCNNTransform):
    """Takes images as they are: neither normalised, nor resized, nor padded."""

    def normalize(self, image: Tensor) -> Tensor:
        return image

    def resize(self, image: Tensor, target: Boxes | None = None) -> tuple[Tensor, Boxes | None]:
        return image, target

    def batch_images(self, images: list[Tensor], size_divisible: int = 32) -> Tensor:
        return torch.stack(images)


class _UnitLength(nn.Module):
    """Every position's channels scaled to length one; as a module of its own it can be masked exactly."""

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x)


class _CuttableVGG(SSDFeatureExtractorVGG):
    """SSD's VGG, which scales its first map to unit length (Liu et al. 2016, 3.1)."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.features(x)
        maps = [self.scale_weight.view(1, -1, 1, 1) * self.unit_length(x)]
        for block in self.extra:
            x = block(x)
            maps.append(x)
        return {str(level): found for level, found in enumerate(maps)}


class SinePositions(nn.Module):
    """DETR's sine positions with one frequency and phase per channel: (batch, channel, height, width).

    transformers computes them for a fixed number of channels; here a channel that leaves the encoder takes its
    position along, since the buffers are cut with it. Checkpoints without these buffers load as well.
    """

    def __init__(self, original: nn.Module) -> None:
        super().__init__()
        half = original.num_position_features
        self.scale = original.scale if original.normalize else None
        frequency = original.temperature ** -(2 * torch.arange(half).div(2, rounding_mode="floor") / half)
        none = torch.zeros(half)
        self.register_buffer("rows", torch.cat([frequency, none]))
        self.register_buffer("columns", torch.cat([none, frequency]))
        self.register_buffer("phases", torch.tensor([0.0, math.pi / 2]).repeat(half))

    def forward(self, shape: Sequence[int], device: Any, dtype: torch.dtype, mask: Tensor | None = None) -> Tensor:
        seen = torch.ones(shape[0], *shape[-2:], device=device) if mask is None else mask
        y, x = seen.to(dtype).cumsum(1), seen.to(dtype).cumsum(2)
        if self.scale is not None:
            y, x = (y / (y[:, -1:] + 1e-6) * self.scale, x / (x[:, :, -1:] + 1e-6) * self.scale)
        angles = y[..., None] * self.rows + x[..., None] * self.columns + self.phases
        return angles.sin().to(dtype).permute(0, 3, 1, 2)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        for name, buffer in self.named_buffers():
            state_dict.setdefault(prefix + name, buffer)
        super()._load_from_state_dict(state_dict, prefix, *rest)
