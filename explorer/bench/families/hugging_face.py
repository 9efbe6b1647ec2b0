"""Small random configurations of Hugging Face: transformers of texts, images and sounds, and diffusers."""

from explorer.bench.families.diffusion import DIFFUSION
from explorer.bench.families.encoders import ENCODERS
from explorer.bench.families.family import Family
from explorer.bench.families.language_models import DECODERS
from explorer.bench.families.vision_models import IMAGES, SOUNDS

HUGGING_FACE = Family(
    "hf", {**IMAGES, **SOUNDS, **ENCODERS, **DECODERS, **DIFFUSION}, package="transformers.modeling_utils"
)
