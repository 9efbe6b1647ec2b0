"""One meaning per colour: kinds of groups, the scale of scores, and what is removed."""

import base64
import io
from functools import cache

import numpy as np
from PIL import Image

KIND_COLOURS = {
    "conv": "#35789b",
    "stream": "#d18b3c",
    "linear": "#7d64b5",
    "ffn": "#57a06d",
    "experts": "#2f6b6b",
    "experts-ffn": "#3f7f53",
    "positions": "#8aa34f",
    "heads": "#c2607d",
    "head-dims": "#a3526f",
    "recurrent": "#5a6fb0",
    "embedding": "#87929a",
}
# Ten stops of viridis, the same as chartSequentialColors in the theme: perceptually even, legible without hue.
SEQUENTIAL = (
    *("#440154", "#482878", "#3e4a89", "#31688e", "#26828e"),
    *("#1f9e89", "#35b779", "#6dcd59", "#b4de2c", "#fde725"),
)
CAME_BACK = "#ff3b5c"  # a weight that was zero
BEFORE, AFTER, ACCENT, MUTED = "#87929a", "#d18b3c", "#1d8aa3", "#9aa6ad"
LOST = "#c2603a"  # what a cut takes from the metric; legible on light and dark
RECOVERED = ("#86b89a", "#4d9a6f", "#2f7d54")  # what comes back without training, by repair, and by training
# The colours of runs, by the names of `explorer.runs.labels`: 3:1 at least on the backgrounds of both themes.
RUNS = {
    "ocean": "#2f7fc1",
    "amber": "#b9770e",
    "violet": "#8a63d2",
    "leaf": "#3f8f4f",
    "rose": "#cf4f83",
    "teal": "#168c92",
    "rust": "#b8613a",
    "olive": "#7f8420",
    "plum": "#a855a8",
    "slate": "#6f7f8c",
}


def rgb(colour: str) -> tuple[int, ...]:
    """Red, green and blue of ``#rrggbb``."""
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


@cache
def palette(steps: int = 250) -> np.ndarray:
    """The sequential map as (steps, 4) RGBA bytes."""
    stops = np.array([rgb(colour) for colour in SEQUENTIAL], dtype=float)
    at = np.linspace(0, len(stops) - 1, steps)
    between = np.stack([np.interp(at, np.arange(len(stops)), stops[:, channel]) for channel in range(3)], axis=1)
    return np.concatenate([between.round(), np.full((steps, 1), 255)], axis=1).astype(np.uint8)


def indexed_png(indices: np.ndarray, colours: np.ndarray) -> str:
    """A data URL of the image whose pixel (row, column) has colour ``colours[indices[row, column]]``."""
    image = Image.fromarray(indices.astype(np.uint8), mode="P")
    image.putpalette(colours[:, :3].astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=bytes(colours[:, 3].astype(np.uint8)), compress_level=6)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def tiles(maps: np.ndarray, width: int = 96) -> list[np.ndarray]:
    """Feature maps (n, height, width) as colour images, all on one scale and enlarged without smoothing."""
    low, high = float(maps.min()), float(maps.max())
    level = np.zeros_like(maps) if high <= low else (maps - low) / (high - low)
    coloured = palette()[(level * 249).round().astype(int)][..., :3]
    times = max(1, width // maps.shape[-1])
    return [np.repeat(np.repeat(tile, times, axis=0), times, axis=1) for tile in coloured]
