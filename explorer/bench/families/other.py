"""Networks from elsewhere: YOLO, segmentation_models_pytorch, torchvision's for video, and ones written by hand."""

import os
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torchvision import models

from explorer.bench.families import own_images, own_sequences
from explorer.bench.families.family import CLASSES, PIXELS, Builder, Family, Made, package
from explorer.bench.families.own_sequences import NODES, TOKENS
from explorer.bench.families.pretrained import Called


def _yolo(name: str, kind: str = "DetectionModel") -> Made:
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")  # it would else install what it misses
    tasks = package("ultralytics.nn.tasks")
    model = getattr(tasks, kind)(f"{name}.yaml", nc=CLASSES, verbose=False)
    return Called(model, lambda model, x: model(x)), torch.randn(2, 3, PIXELS, PIXELS)


def _segmenter(kind: str, encoder: str) -> Made:
    model = getattr(package("segmentation_models_pytorch"), kind)(encoder, encoder_weights=None, classes=5)
    pixels = 128 if kind == "PAN" else PIXELS  # it pools three times what the encoder leaves
    return model, torch.randn(2, 3, pixels, pixels)


def _video(name: str) -> Made:
    return models.get_model(name, weights=None, num_classes=CLASSES), torch.randn(2, 3, 8, 32, 32)


def _own(build: Callable[[], nn.Module], *inputs: Callable[[], Tensor]) -> Builder:
    def made() -> Made:
        example = tuple(one() for one in inputs)
        return build(), example if len(example) > 1 else example[0]

    return made


def _values(*shape: int) -> Callable[[], Tensor]:
    return lambda: torch.randn(2, *shape)


def _numbers(length: int, most: int = own_sequences.VOCABULARY) -> Callable[[], Tensor]:
    return lambda: torch.randint(most, (2, length))


_IMAGE, _TEXT, _ROWS = _values(3, 32, 32), _numbers(TOKENS), _values(TOKENS, 10)

_YOLO: dict[str, Builder] = {
    **{
        name: partial(_yolo, name)
        for name in "yolov3-tiny yolov5n yolov6n yolov8n yolov8n-ghost yolov9t yolov10n yolo11n yolo12n yolo26n".split()
    },
    "yolov8n-seg": partial(_yolo, "yolov8n-seg", "SegmentationModel"),
    "yolov8n-pose": partial(_yolo, "yolov8n-pose", "PoseModel"),
    "yolov8n-cls": partial(_yolo, "yolov8n-cls", "ClassificationModel"),
    "yolo11n-cls": partial(_yolo, "yolo11n-cls", "ClassificationModel"),
}
_SEGMENTERS = {
    f"smp-{kind.lower()}-{encoder.removeprefix('tu-')}": partial(_segmenter, kind, encoder)
    for kind, encoder in (
        ("Unet", "resnet18"), ("Unet", "vgg11_bn"), ("Unet", "densenet121"), ("Unet", "mobilenet_v2"),
        ("Unet", "mit_b0"), ("Unet", "dpn68"), ("Unet", "tu-convnext_atto"), ("UnetPlusPlus", "resnet18"),
        ("FPN", "efficientnet-b0"), ("DeepLabV3", "resnet18"), ("DeepLabV3Plus", "mobilenet_v2"),
        ("Linknet", "resnet18"), ("PSPNet", "resnet18"), ("PAN", "resnet18"), ("MAnet", "resnet18"),
        ("UPerNet", "resnet18"), ("Segformer", "mit_b0"),
    )
}  # fmt: skip
_VIDEO: dict[str, Builder] = {name: partial(_video, name) for name in ("mc3_18", "r2plus1d_18", "r3d_18", "swin3d_t")}
_PICTURES: dict[str, Builder] = {
    "resnet-option-a": _own(own_images.option_a, _IMAGE),
    "channel-shuffle": _own(own_images.shuffled, _IMAGE),
    "eca": _own(own_images.eca, _IMAGE),
    "cbam": _own(own_images.cbam, _IMAGE),
    "segnet": _own(own_images.SegNet, _IMAGE),
    "unet-1d-own": _own(partial(own_images.UNet, 1, interpolates=False), _values(3, 32)),
    "unet-2d-own": _own(partial(own_images.UNet, 2, interpolates=True), _IMAGE),
    "unet-3d": _own(partial(own_images.UNet, 3, interpolates=False), _values(3, 8, 8, 8)),
    "unet-3d-interpolating": _own(partial(own_images.UNet, 3, interpolates=True), _values(3, 8, 8, 8)),
    "weight-standardised": _own(own_images.standardised, _IMAGE),
    "weight-norm": _own(own_images.weight_normed, _IMAGE),
    "spectral-norm": _own(own_images.spectral_normed, _IMAGE),
    "super-resolution": _own(own_images.SuperResolution, _values(3, 16, 16)),
    "gan-generator": _own(own_images.generator, _values(32)),
    "siamese": _own(own_images.Siamese, _IMAGE, _IMAGE),
    "spatial-transformer": _own(own_images.SpatialTransformer, _IMAGE),
    "deformable": _own(own_images.Deformable, _IMAGE),
    "conditional-convolution": _own(own_images.conditional, _IMAGE),
    "mlp-mixer": _own(own_images.Mixing, _IMAGE),
    "highway": _own(own_images.highway, _IMAGE),
    "maxout": _own(own_images.maxout, _IMAGE),
    "split-halves": _own(own_images.split, _IMAGE),
    "cross-stage": _own(own_images.cross_stage, _IMAGE),
    "variational-autoencoder": _own(own_images.Autoencoder, _IMAGE),
    "pointnet": _own(own_images.PointNet, _values(3, 20)),
    "normalised-features": _own(own_images.embedding_net, _IMAGE),
    "non-local": _own(own_images.non_local, _IMAGE),
    "capsules": _own(own_images.Capsules, _IMAGE),
}
_SEQUENCES: dict[str, Builder] = {
    "lstm": _own(partial(own_sequences.Recurrent, nn.LSTM), _TEXT),
    "lstm-two-layers": _own(partial(own_sequences.Recurrent, nn.LSTM, num_layers=2), _TEXT),
    "lstm-bidirectional": _own(partial(own_sequences.Recurrent, nn.LSTM, num_layers=2, bidirectional=True), _TEXT),
    "lstm-projected": _own(partial(own_sequences.Recurrent, nn.LSTM, proj_size=20), _TEXT),
    "gru": _own(partial(own_sequences.Recurrent, nn.GRU), _TEXT),
    "gru-bidirectional": _own(partial(own_sequences.Recurrent, nn.GRU, bidirectional=True), _TEXT),
    "rnn": _own(partial(own_sequences.Recurrent, nn.RNN), _TEXT),
    "lstm-cell": _own(own_sequences.Cell, _TEXT),
    "conv-lstm": _own(own_sequences.ConvLstm, _values(4, 3, 16, 16)),
    "crnn": _own(own_sequences.Crnn, _values(1, 16, 32)),
    "transformer-encoder": _own(own_sequences.Encoder, _TEXT),
    "transformer-encoder-norm-first": _own(partial(own_sequences.Encoder, norm_first=True, activation="gelu"), _TEXT),
    "transformer-encoder-sequence-first": _own(partial(own_sequences.Encoder, batch_first=False), _TEXT),
    "transformer": _own(own_sequences.Translator, _TEXT, _TEXT),
    "cross-attention": _own(own_sequences.Crossing, _ROWS),
    "attention-pooling": _own(own_sequences.Pooling, _ROWS),
    "nano-gpt": _own(own_sequences.NanoGpt, _TEXT),
    "linear-attention": _own(own_sequences.LinearAttention, _ROWS),
    "mixture-of-experts": _own(own_sequences.Experts, _ROWS),
    "wavenet": _own(own_sequences.GatedConv, _values(1, 64)),
    "m5": _own(own_sequences.temporal, _values(1, 512)),
    "selective-scan": _own(own_sequences.SelectiveScan, _ROWS),
    "graph-index-add": _own(partial(own_sequences.Graph, "index_add"), _values(NODES, 8)),
    "graph-scatter-add": _own(partial(own_sequences.Graph, "gather"), _values(NODES, 8)),
    "graph-scatter-max": _own(partial(own_sequences.Graph, "amax"), _values(NODES, 8)),
    "graph-attention": _own(own_sequences.GraphAttention, _values(NODES, 8)),
    "recommender": _own(own_sequences.Recommender, _values(6), _numbers(3, 20)),
    "radiance-field": _own(own_sequences.Field, _values(3)),
    "tabular-transformer": _own(own_sequences.Tabular, _values(6)),
    "fourier-operator": _own(own_sequences.Fourier, _values(3, 32)),
    "perceptron": _own(own_sequences.perceptron, _values(20)),
}
OTHER = Family("other", {**_YOLO, **_SEGMENTERS, **_VIDEO, **_PICTURES, **_SEQUENCES}, settled=frozenset(_SEGMENTERS))
