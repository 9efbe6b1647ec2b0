"""The models of the coverage table: torchvision's, and small random ones of Hugging Face's families."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from explorer.errors import unknown
from explorer.sources.networks.architectures import build, segmenter_names, torchvision_names
from explorer.sources.networks.detectors import DETECTORS, build_detector
from explorer.sources.networks.hugging_face import ImageModel, TextModel

PIXELS = {"inception_v3": 299, "googlenet": 224, "maxvit_t": 224}  # others: 64, or what the names below say
_BY_PREFIX = {"swin": 96, "vit_": 0}
DETECTION = tuple(name for name in DETECTORS if name != "detr")
DETECTION_PIXELS = {"ssd300_vgg16": 300, "ssdlite320_mobilenet_v3_large": 160}  # others: 128
CLASSES = 10


def names() -> list[str]:
    """Every model of the table: ``torchvision:NAME`` and ``hf:FAMILY``."""
    torchvision = [*torchvision_names(), *segmenter_names(), *DETECTION]
    return [*(f"torchvision:{name}" for name in torchvision), *(f"hf:{name}" for name in _HUGGING_FACE)]


def make(name: str) -> tuple[nn.Module, Tensor]:
    """The untrained network in evaluation mode, and an input of two samples.

    Normalisations and biases are random, since zeros would hide what a cut forgets.

    Raises:
        ExplorerError: there is no such model.
    """
    if name not in names():
        raise unknown("model of the table", name, names())
    source, _, short = name.partition(":")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module, example = _HUGGING_FACE[short]() if source == "hf" else _torchvision(short)
        return settle(stir(module), example).eval() if short in DETECTION else stir(module).eval(), example


def _torchvision(name: str) -> tuple[nn.Module, Tensor]:
    if name in DETECTION:
        return build_detector(name, CLASSES), _images(DETECTION_PIXELS.get(name, 128))
    pixels = PIXELS.get(name) or next((size for prefix, size in _BY_PREFIX.items() if name.startswith(prefix)), 64)
    if name in segmenter_names():
        pixels = 96
    arguments = {"num_classes": CLASSES}
    if not pixels:  # vision transformers: four patches a side
        pixels = arguments["image_size"] = 4 * int(name.rpartition("_")[2])
    return build({"family": "torchvision", "name": name, "arguments": arguments}), _images(pixels)


def stir(module: nn.Module) -> nn.Module:
    """Random normalisation and biases, in place."""
    for name, parameter in module.named_parameters():
        if parameter.dim() == 1:
            nn.init.normal_(parameter, mean=1.0 if name.endswith("weight") else 0.0, std=0.3)
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            nn.init.normal_(buffer, std=0.3)
        elif name.endswith("running_var"):
            nn.init.uniform_(buffer, 0.5, 1.5)
    return module


@torch.no_grad()
def settle(module: nn.Module, images: Tensor) -> nn.Module:
    """Batch norms with the statistics of `images`, in place; deep networks would else forget what they see."""
    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    module.train()(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return module


def _images(pixels: int) -> Tensor:
    return torch.randn(2, 3, pixels, pixels)


def _tokens() -> Tensor:
    ids = torch.randint(5, _VOCABULARY, (2, 12))
    ids[:, -1] = 1  # T5 classifies at the end of the text
    return ids


# Hugging Face: transformers is only imported when one of these is made. -----------------------------------

_VOCABULARY = 100
_VISION = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
_TEXT = {**_VISION, "vocab_size": _VOCABULARY, "max_position_embeddings": 64, "num_labels": 3}
_PATCHES = {**_VISION, "image_size": 32, "patch_size": 8, "num_labels": CLASSES}
_STAGES = {"hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 2, 1], "num_labels": CLASSES}
_BACKBONE = {
    "model_type": "resnet", "embedding_size": 16, "hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 2, 1],
    "out_features": ["stage4"],
}  # fmt: skip
_QUERIES = {
    "backbone_config": _BACKBONE, "d_model": 48, "num_queries": 10, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 96, "decoder_ffn_dim": 96,
    "init_std": 0.2,
}  # fmt: skip


def _vision(family: str, pixels: int, head: str = "ForImageClassification", **config: object) -> Callable:
    def load() -> tuple[nn.Module, Tensor]:
        return ImageModel(_from_config(family, head, config)), _images(pixels)

    return load


def _text(family: str, **config: object) -> Callable:
    def load() -> tuple[nn.Module, Tensor]:
        return TextModel(_from_config(family, "ForSequenceClassification", config)), _tokens()

    return load


def _detr() -> tuple[nn.Module, Tensor]:
    return build_detector("detr", CLASSES, **_QUERIES), _images(96)


def _from_config(family: str, head: str, config: dict) -> nn.Module:
    import transformers

    transformers.logging.set_verbosity_error()
    return getattr(transformers, family + head)(getattr(transformers, f"{family}Config")(**config))


_HUGGING_FACE: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {
    "vit": _vision("ViT", 32, **_PATCHES),
    "deit": _vision("DeiT", 32, **_PATCHES),
    "beit": _vision(
        "Beit", 32, **_PATCHES, use_relative_position_bias=True, use_absolute_position_embeddings=False
    ),
    "swin": _vision(
        "Swin", 32, image_size=32, patch_size=2, embed_dim=24, depths=[2, 2], num_heads=[2, 4], window_size=4,
        num_labels=CLASSES,
    ),
    "convnext": _vision("ConvNext", 64, **_STAGES),
    "resnet": _vision("ResNet", 64, **_STAGES, embedding_size=16),
    "segformer": _vision(
        "Segformer", 64, "ForSemanticSegmentation", hidden_sizes=[16, 32, 40, 48], num_attention_heads=[1, 2, 4, 4],
        depths=[1, 1, 1, 1], decoder_hidden_size=32, num_labels=5, sr_ratios=[4, 2, 2, 1],
    ),
    "bert": _text("Bert", **_TEXT),
    "roberta": _text("Roberta", **_TEXT),
    "distilbert": _text(
        "DistilBert", vocab_size=_VOCABULARY, dim=48, n_layers=2, n_heads=4, hidden_dim=96,
        max_position_embeddings=64, num_labels=3,
    ),
    "gpt2": _text(
        "GPT2", vocab_size=_VOCABULARY, n_embd=48, n_layer=2, n_head=4, n_positions=64, num_labels=3, pad_token_id=0,
        use_cache=False,
    ),
    "t5": _text(
        "T5", vocab_size=_VOCABULARY, d_model=48, d_kv=12, d_ff=96, num_layers=2, num_heads=4, num_labels=3,
        pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
    ),
    "detr": _detr,
}  # fmt: skip
