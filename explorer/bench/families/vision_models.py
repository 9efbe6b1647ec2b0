"""Networks of Hugging Face for images, video and sound, as small random configurations."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from explorer.bench.families.family import CLASSES, Builder, Made
from explorer.bench.families.pretrained import VOCABULARY, Called, from_config, tokens
from explorer.sources.networks.detectors import build_detector
from explorer.sources.networks.hugging_face import ImageModel

_SMALL: Mapping[str, Any] = {
    "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96,
    "image_size": 32, "patch_size": 8, "num_labels": CLASSES,
}  # fmt: skip
_STAGES: Mapping[str, Any] = {"hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 2, 1], "num_labels": CLASSES}
_SWIN: Mapping[str, Any] = {
    "image_size": 32, "patch_size": 2, "embed_dim": 24, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4,
    "num_labels": CLASSES,
}  # fmt: skip
_BACKBONE = {
    "model_type": "resnet", "embedding_size": 16, "hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 2, 1],
    "out_features": ["stage4"],
}  # fmt: skip
_QUERIES = {
    "backbone_config": _BACKBONE, "d_model": 48, "num_queries": 10, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 96, "decoder_ffn_dim": 96,
    "init_std": 0.2,
}  # fmt: skip
_TOWER = {key: value for key, value in _SMALL.items() if key != "num_labels"}
_TEXT_TOWER = {**_TOWER, "vocab_size": VOCABULARY, "max_position_embeddings": 16, "projection_dim": 32,
               "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 1}  # fmt: skip
_SOUND: Mapping[str, Any] = {
    "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96,
    "conv_dim": [16, 16, 24], "conv_stride": [5, 4, 2], "conv_kernel": [10, 8, 4], "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4, "num_labels": 3, "vocab_size": 30,
    "classifier_proj_size": 32, "mask_time_prob": 0.0, "apply_spec_augment": False, "layerdrop": 0.0,
}  # fmt: skip
_MOTION: Mapping[str, Any] = {**_SMALL, "num_frames": 4, "tubelet_size": 2, "num_channels": 3}


def _image(kind: str, pixels: int, **config: Any) -> Builder:
    return partial(_seen, kind, (3, pixels, pixels), config)


def _seen(kind: str, shape: tuple[int, ...], config: Mapping[str, Any]) -> Made:
    return ImageModel(from_config(kind, **config)), torch.randn(2, *shape)


def _called(kind: str, call: Callable[[Any, Tensor], Any], shape: tuple[int, ...], **config: Any) -> Builder:
    def made() -> Made:
        return Called(from_config(kind, **config), call), torch.randn(2, *shape)

    return made


def _detr() -> Made:
    return build_detector("detr", CLASSES, **_QUERIES), torch.randn(2, 3, 96, 96)


def _pair(kind: str, **config: Any) -> Builder:
    """The embeddings of an image and of a text are compared: the text is fixed, so that a batch is one of images."""

    def made() -> Made:
        text = tokens()[:1]

        def call(model: Any, pixels: Tensor) -> Tensor:
            return model(input_ids=text, pixel_values=pixels).logits_per_image

        return Called(from_config(kind, **config), call), torch.randn(2, 3, 32, 32)

    return made


IMAGES: dict[str, Builder] = {
    "vit": _image("ViTForImageClassification", 32, **_SMALL),
    "deit": _image("DeiTForImageClassification", 32, **_SMALL),
    "beit": _image(
        "BeitForImageClassification", 32, **_SMALL, use_relative_position_bias=True,
        use_absolute_position_embeddings=False,
    ),
    "data2vec-vision": _image(
        "Data2VecVisionForImageClassification", 32, **_SMALL, use_shared_relative_position_bias=True
    ),
    "vit-msn": _image("ViTMSNForImageClassification", 32, **_SMALL),
    "ijepa": _image("IJepaForImageClassification", 32, **_SMALL),
    "dinov2": _image("Dinov2ForImageClassification", 32, **_SMALL, mlp_ratio=2),
    "dinov2-swiglu": _image("Dinov2ForImageClassification", 32, **_SMALL, mlp_ratio=2, use_swiglu_ffn=True),
    "dinov2-registers": _image(
        "Dinov2WithRegistersForImageClassification", 32, **_SMALL, mlp_ratio=2, num_register_tokens=2
    ),
    "siglip": _image("SiglipForImageClassification", 32, vision_config=_TOWER, num_labels=CLASSES),
    "clip": _image("CLIPForImageClassification", 32, vision_config=_TOWER, num_labels=CLASSES),
    "clip-pair": _pair("CLIPModel", vision_config=_TOWER, text_config=_TEXT_TOWER, projection_dim=32),
    "siglip-pair": _pair("SiglipModel", vision_config=_TOWER, text_config={**_TEXT_TOWER, "projection_size": 48}),
    "swin": _image("SwinForImageClassification", 32, **_SWIN),
    "swinv2": _image("Swinv2ForImageClassification", 32, **_SWIN),
    "donut-swin": _image("DonutSwinForImageClassification", 32, **_SWIN),
    "focalnet": _image(
        "FocalNetForImageClassification", 64, embed_dim=24, depths=[1, 1], hidden_sizes=[24, 48], focal_levels=[2, 2],
        focal_windows=[3, 3], num_labels=CLASSES,
    ),
    "convnext": _image("ConvNextForImageClassification", 64, **_STAGES),
    "convnextv2": _image("ConvNextV2ForImageClassification", 64, **_STAGES),
    "resnet": _image("ResNetForImageClassification", 64, **_STAGES, embedding_size=16),
    "regnet": _image("RegNetForImageClassification", 64, **_STAGES, embedding_size=16, groups_width=16),
    "bit": _image("BitForImageClassification", 64, **_STAGES, embedding_size=16, num_groups=8),
    "hgnetv2": _image("HGNetV2ForImageClassification", 64, num_labels=CLASSES),
    "poolformer": _image(
        "PoolFormerForImageClassification", 64, hidden_sizes=[16, 32, 40, 48], depths=[1, 1, 1, 1], num_labels=CLASSES
    ),
    "pvt": _image(
        "PvtForImageClassification", 64, image_size=64, hidden_sizes=[16, 32, 40, 48], depths=[1, 1, 1, 1],
        num_attention_heads=[1, 2, 4, 4], num_labels=CLASSES,
    ),
    "pvt-v2": _image(
        "PvtV2ForImageClassification", 64, image_size=64, hidden_sizes=[16, 32, 40, 48], depths=[1, 1, 1, 1],
        num_attention_heads=[1, 2, 4, 4], num_labels=CLASSES,
    ),
    "cvt": _image(
        "CvtForImageClassification", 64, num_labels=CLASSES, embed_dim=[16, 32, 48], num_heads=[1, 2, 4],
        depth=[1, 2, 3],
    ),
    "levit": _image(
        "LevitForImageClassification", 64, image_size=64, hidden_sizes=[32, 48, 64], num_attention_heads=[2, 3, 4],
        depths=[1, 1, 1], key_dim=[8, 8, 8], num_labels=CLASSES,
    ),
    "mobilevit": _image(
        "MobileViTForImageClassification", 64, image_size=64, hidden_sizes=[24, 32, 40], num_labels=CLASSES,
        neck_hidden_sizes=[8, 16, 24, 32, 40, 48, 64],
    ),
    "mobilevitv2": _image("MobileViTV2ForImageClassification", 64, image_size=64, width_multiplier=0.5,
                          num_labels=CLASSES),
    "mobilenet-v1": _image("MobileNetV1ForImageClassification", 64, depth_multiplier=0.25, num_labels=CLASSES),
    "mobilenet-v2": _image("MobileNetV2ForImageClassification", 64, depth_multiplier=0.35, num_labels=CLASSES),
    "efficientnet": _image(
        "EfficientNetForImageClassification", 64, width_coefficient=0.5, depth_coefficient=0.5, hidden_dim=640,
        num_labels=CLASSES,
    ),
    "swiftformer": _image("SwiftFormerForImageClassification", 64, num_labels=CLASSES),
    "textnet": _image("TextNetForImageClassification", 64, num_labels=CLASSES),
    "hiera": _image(
        "HieraForImageClassification", 64, image_size=[64, 64], embed_dim=24, num_heads=[1, 2, 4, 4],
        depths=[1, 1, 1, 1], masked_unit_size=[8, 8], num_labels=CLASSES,
    ),
    "segformer": _image(
        "SegformerForSemanticSegmentation", 64, hidden_sizes=[16, 32, 40, 48], num_attention_heads=[1, 2, 4, 4],
        depths=[1, 1, 1, 1], decoder_hidden_size=32, num_labels=5, sr_ratios=[4, 2, 2, 1],
    ),
    "dpt": _image(
        "DPTForSemanticSegmentation", 32, **{**_TOWER, "num_hidden_layers": 4}, backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[16, 16, 24, 24], fusion_hidden_size=16, num_labels=5,
    ),
    "glpn": _called(
        "GLPNForDepthEstimation", lambda model, x: model(pixel_values=x).predicted_depth, (3, 64, 64),
        hidden_sizes=[16, 32, 40, 48], num_attention_heads=[1, 2, 4, 4], depths=[1, 1, 1, 1], decoder_hidden_size=32,
    ),
    "vit-features": _called(
        "ViTModel", lambda model, x: model(pixel_values=x).last_hidden_state, (3, 32, 32), **_TOWER
    ),
    "detr": _detr,
    "videomae": _called(
        "VideoMAEForVideoClassification", lambda model, x: model(pixel_values=x).logits, (4, 3, 32, 32), **_MOTION
    ),
    "vivit": _called(
        "VivitForVideoClassification", lambda model, x: model(pixel_values=x).logits, (4, 3, 32, 32),
        **{**_MOTION, "tubelet_size": [2, 8, 8]},
    ),
    "timesformer": _called(
        "TimesformerForVideoClassification", lambda model, x: model(pixel_values=x).logits, (4, 3, 32, 32), **_MOTION
    ),
}  # fmt: skip

SOUNDS: dict[str, Builder] = {
    "wav2vec2": _called("Wav2Vec2ForCTC", lambda model, x: model(x).logits, (1600,), **_SOUND),
    "wav2vec2-classifier": _called(
        "Wav2Vec2ForSequenceClassification", lambda model, x: model(x).logits, (1600,), **_SOUND
    ),
    "wav2vec2-conformer": _called("Wav2Vec2ConformerForCTC", lambda model, x: model(x).logits, (1600,), **_SOUND),
    "hubert": _called("HubertForCTC", lambda model, x: model(x).logits, (1600,), **_SOUND),
    "wavlm": _called("WavLMForCTC", lambda model, x: model(x).logits, (1600,), **_SOUND),
    "unispeech": _called("UniSpeechForCTC", lambda model, x: model(x).logits, (1600,), **_SOUND),
    "sew": _called("SEWForCTC", lambda model, x: model(x).logits, (1600,), **_SOUND, squeeze_factor=2),
    "ast": _called(
        "ASTForAudioClassification", lambda model, x: model(x).logits, (32, 32), **_TOWER, num_labels=3,
        max_length=32, num_mel_bins=32, time_stride=8, frequency_stride=8,
    ),
    "whisper": _called(
        "WhisperForConditionalGeneration",
        lambda model, x: model(x, decoder_input_ids=torch.arange(5, 13).expand(len(x), -1), use_cache=False).logits,
        (16, 64), vocab_size=VOCABULARY, num_mel_bins=16, d_model=48, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=96, decoder_ffn_dim=96,
        max_source_positions=32, max_target_positions=64, pad_token_id=0, bos_token_id=2, eos_token_id=1,
        decoder_start_token_id=2,
    ),
    "speech-to-text": _called(
        "Speech2TextForConditionalGeneration",
        lambda model, x: model(x, decoder_input_ids=torch.arange(5, 13).expand(len(x), -1), use_cache=False).logits,
        (64, 16), vocab_size=VOCABULARY, input_feat_per_channel=16, input_channels=1, d_model=48, encoder_layers=2,
        decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=96,
        decoder_ffn_dim=96, conv_channels=32, num_conv_layers=2, conv_kernel_sizes=[5, 5], max_source_positions=64,
        max_target_positions=64, pad_token_id=0, bos_token_id=2, eos_token_id=1, decoder_start_token_id=2,
    ),
}  # fmt: skip
