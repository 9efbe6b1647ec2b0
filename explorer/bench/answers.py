"""Which images a network answers right, as text in the rows of a table."""

import base64
import binascii

import numpy as np


def packed(right: np.ndarray) -> str:
    """Answers, bool (images,), as text: a bit each."""
    return base64.b64encode(np.packbits(right).tobytes()).decode()


def unpacked(text: str, images: int) -> np.ndarray:
    """The answers in a text of `packed`.

    Raises:
        ValueError: it holds those of another number of images.
    """
    try:
        bits = np.unpackbits(np.frombuffer(base64.b64decode(text, validate=True), np.uint8))
    except binascii.Error:
        raise ValueError("the text holds no answers") from None
    if len(bits) != -(-images // 8) * 8:
        raise ValueError(f"the text holds {len(bits)} answers, not {images}")
    return bits[:images].astype(bool)
