"""Networks of diffusers that take noise out of images, and the autoencoders around them, small and random."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from explorer.bench.families.family import Builder, Made, package
from explorer.bench.families.pretrained import Called

Call = Callable[[Any, Tensor], Any]
_BLOCKS_2 = {"block_out_channels": (16, 32), "layers_per_block": 1, "norm_num_groups": 4}
_TRANSFORMER: dict[str, Any] = {"num_attention_heads": 4, "attention_head_dim": 12, "num_layers": 2}


def _made(kind: str, call: Call, shape: tuple[int, ...], **config: Any) -> Builder:
    def made() -> Made:
        diffusers = package("diffusers")
        diffusers.logging.set_verbosity_error()
        return Called(getattr(diffusers, kind)(**config).eval(), call), torch.randn(2, *shape)

    return made


def _step(x: Tensor) -> Tensor:
    """The same moment of the noising for every image."""
    return torch.full((len(x),), 10, device=x.device)


def _words(x: Tensor, width: int) -> Tensor:
    """The embedding of a text of six tokens, (batch, 6, `width`), the same for every image."""
    return torch.linspace(-1, 1, 6 * width, device=x.device).sin().view(1, 6, width).expand(len(x), -1, -1)


DIFFUSION: dict[str, Builder] = {
    "unet-2d": _made(
        "UNet2DModel", lambda model, x: model(x, _step(x)).sample, (3, 16, 16), sample_size=16, **_BLOCKS_2,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=8,
    ),
    "unet-2d-condition": _made(
        "UNet2DConditionModel",
        lambda model, x: model(x, _step(x), encoder_hidden_states=_words(x, 20)).sample, (4, 16, 16), sample_size=16,
        **_BLOCKS_2, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=20, attention_head_dim=4,
    ),
    "unet-2d-condition-linear": _made(
        "UNet2DConditionModel",
        lambda model, x: model(x, _step(x), encoder_hidden_states=_words(x, 20)).sample, (4, 16, 16), sample_size=16,
        **_BLOCKS_2, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=20, attention_head_dim=(2, 4),
        use_linear_projection=True,
    ),
    "controlnet": _made(
        "ControlNetModel",
        lambda model, x: model(x, _step(x), _words(x, 20), x[:, :3].repeat_interleave(2, 2).repeat_interleave(2, 3)),
        (4, 16, 16), **_BLOCKS_2, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), cross_attention_dim=20,
        attention_head_dim=4, conditioning_embedding_out_channels=(8, 16),
    ),
    "autoencoder-kl": _made(
        "AutoencoderKL", lambda model, x: model(x).sample, (3, 16, 16), **_BLOCKS_2, latent_channels=4,
        down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
        up_block_types=("UpDecoderBlock2D", "UpDecoderBlock2D"),
    ),
    "autoencoder-tiny": _made(
        "AutoencoderTiny", lambda model, x: model(x).sample, (3, 32, 32), encoder_block_out_channels=(16, 16, 16),
        decoder_block_out_channels=(16, 16, 16), num_encoder_blocks=(1, 1, 1), num_decoder_blocks=(1, 1, 1),
    ),
    "vq": _made(
        "VQModel", lambda model, x: model(x).sample, (3, 16, 16), **_BLOCKS_2, latent_channels=4,
        num_vq_embeddings=16, down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
        up_block_types=("UpDecoderBlock2D", "UpDecoderBlock2D"),
    ),
    "dit": _made(
        "DiTTransformer2DModel",
        lambda model, x: model(x, timestep=_step(x), class_labels=torch.ones_like(_step(x))).sample, (4, 8, 8),
        **_TRANSFORMER, in_channels=4, out_channels=8, sample_size=8, patch_size=2, num_embeds_ada_norm=20,
        norm_num_groups=4,
    ),
    "pixart": _made(
        "PixArtTransformer2DModel",
        lambda model, x: model(
            x, encoder_hidden_states=_words(x, 20), timestep=_step(x),
            added_cond_kwargs={"resolution": None, "aspect_ratio": None},
        ).sample,
        (4, 8, 8), **_TRANSFORMER, in_channels=4, out_channels=8, sample_size=8, patch_size=2,
        cross_attention_dim=48, caption_channels=20, use_additional_conditions=False, norm_num_groups=4,
    ),
    "sd3": _made(
        "SD3Transformer2DModel",
        lambda model, x: model(
            x, encoder_hidden_states=_words(x, 20), pooled_projections=_words(x, 24)[:, 0], timestep=_step(x)
        ).sample,
        (4, 8, 8), **_TRANSFORMER, sample_size=8, patch_size=2, in_channels=4, joint_attention_dim=20,
        caption_projection_dim=48, pooled_projection_dim=24, out_channels=4, pos_embed_max_size=8,
    ),
    "transformer-2d": _made(
        "Transformer2DModel", lambda model, x: model(x).sample, (16, 8, 8), num_attention_heads=4,
        attention_head_dim=6, num_layers=2, in_channels=16, norm_num_groups=4, sample_size=8,
    ),
}  # fmt: skip
