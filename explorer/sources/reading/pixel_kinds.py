"""What pixels a picture file may have, and how each kind becomes bytes of grey or colour."""

import numpy as np
from PIL import Image, ImageChops

_SIXTEEN = ("I;16", "I;16B", "I;16L", "I;16N")
_WHITE = 65535  # of 16 bits
_NEARLY_WHITE = 250  # of 255: what is at least as light can't be told from white

WIDE, FLOATING, CLEAR, FRAMES = "16-bit", "floating-point", "transparent", "several frames"
"""What a picture can be besides eight bits of grey, colour or ink, see `kinds`."""


def in_bytes(image: Image.Image, channels: int, written: str | None) -> Image.Image:
    """The first frame as grey ("L") or colour ("RGB"), whatever its pixels are.

    Sixteen bits are scaled by their own white, 65,535, and floating-point numbers by 1. What is transparent is laid on
    white, as paper and web pages are; where all that can be seen is white itself, on black.

    Args:
        channels: 1 (grey) or 3.
        written: the format of the file, which a turned copy no longer knows.

    Raises:
        ValueError: nobody can know which number is white: it says why.
    """
    if image.mode in (*_SIXTEEN, "I", "F"):
        image = _scaled(image, written)
    elif _may_be_clear(image):
        image = _laid_on_ground(image.convert("RGBA"))
    return image.convert("RGB" if channels == 3 else "L")


def kinds(image: Image.Image) -> frozenset[str]:
    """What a person should know of a picture's pixels; empty for eight bits of grey, colour or ink."""
    found = set()
    if image.mode in (*_SIXTEEN, "I"):
        found.add(WIDE)
    if image.mode == "F":
        found.add(FLOATING)
    if _may_be_clear(image) and image.convert("RGBA").getchannel("A").getextrema()[0] < 255:
        found.add(CLEAR)
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # of which the others are previews
        found.add(FRAMES)
    return frozenset(found)


def brightest(image: Image.Image) -> int:
    """The largest value of a picture of 16 bits."""
    return int(np.asarray(image).max())


def _scaled(image: Image.Image, written: str | None) -> Image.Image:
    values = np.asarray(image).astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if image.mode == "F":
        if not np.isfinite(values).all():
            raise ValueError("it has floating-point numbers that are NaN or infinite")
        if low < 0 or high > 1:
            raise ValueError(
                f"its floating-point numbers go from {low:.4g} to {high:.4g}, and which of them is white is not known: "
                "scale them to 0…1, or save 8 or 16 bits"
            )
        white = 1
    else:
        if image.mode == "I" and written == "TIFF":
            raise ValueError(f"its whole numbers of 32 bits (up to {high:.0f}) have no known white: save 8 or 16 bits")
        if low < 0 or high > _WHITE:
            raise ValueError(f"its numbers go from {low:.0f} to {high:.0f}, beyond 16 bits: save 8 or 16 bits")
        white = _WHITE
    return Image.fromarray(np.rint(values * (255 / white)).astype(np.uint8))


def _may_be_clear(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def _laid_on_ground(image: Image.Image) -> Image.Image:
    """An RGBA picture without its transparency."""
    alpha = image.getchannel("A")
    low, high = alpha.getextrema()
    if low == 255 or high == 0:  # nothing is transparent, or all of it: then transparency can't be what is meant
        return image.convert("RGB")
    ground = Image.new("RGBA", image.size, "black" if _is_white(image, alpha) else "white")
    return Image.alpha_composite(ground, image).convert("RGB")


def _is_white(image: Image.Image, alpha: Image.Image) -> bool:
    """Whether all that can be seen of a picture would vanish on white."""
    hidden = alpha.point(lambda value: 255 if value == 0 else 0)
    seen = ImageChops.lighter(image.convert("RGB").convert("L"), hidden)
    return seen.getextrema()[0] >= _NEARLY_WHITE
