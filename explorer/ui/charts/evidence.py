"""The evidence of an answer on its picture."""

import numpy as np

from explorer.ui.charts.colours import ACCENT, rgb

_STRONGEST = 0.99  # the share of pixels whose evidence is within the scale
_COVER = 0.8  # of the picture by the colour where the evidence is strongest
_SIDE = 224  # pixels that a small picture is enlarged to


def overlay(picture: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """The picture in grey, the pixels that speak for the answer in the accent's colour, enlarged: uint8 (H, W, 3).

    Args:
        picture: uint8 (H, W, 3).
        parts: what every pixel adds to the answer, (H, W); see `explorer.evaluation.evidence`.
    """
    strongest = float(np.quantile(np.clip(parts, 0, None), _STRONGEST)) or float(parts.max())
    weight = np.clip(parts / strongest, 0, 1)[..., None] if strongest > 0 else np.zeros((*parts.shape, 1))
    grey = picture.astype(np.float64).mean(2, keepdims=True)
    mixed = grey * (1 - _COVER * weight) + np.array(rgb(ACCENT)) * _COVER * weight
    return enlarged(mixed.round().astype(np.uint8))


def enlarged(picture: np.ndarray, side: int = _SIDE) -> np.ndarray:
    """A small picture with each pixel as a square, so that a browser does not blur it."""
    times = max(1, side // max(picture.shape[:2]))
    return picture.repeat(times, axis=0).repeat(times, axis=1)
