"""A procedural picture task: which shape with which texture, among clutter, under noise."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from explorer import memory

SIZE = 32
SHAPES = ("disc", "square", "triangle", "cross")
TEXTURES = ("plain", "striped", "checked")
MOST_CLASSES = len(SHAPES) * len(TEXTURES)
_CHUNK = 1000
_COPIES = 5  # of pixels: as they are made, put in order, in the parts of a task, and the first as numbers

Field = np.ndarray  # float32 of shape (n, SIZE, SIZE), or a number per image of shape (n, 1, 1)


def class_names(classes: int) -> tuple[str, ...]:
    """The first `classes` combinations: every shape plain, then striped, then checked."""
    return tuple(f"{texture} {shape}" for texture in TEXTURES for shape in SHAPES)[:classes]


@dataclass(frozen=True)
class Difficulty:
    """What a difficulty from 0 to 1 means, in units of pixels (positions) and of the pixel range (colours)."""

    level: float

    @property
    def contrast(self) -> tuple[float, float]:
        """Range of the difference between a shape's colour and the ground's."""
        return 0.4 - 0.36 * self.level, 0.9 - 0.1 * self.level

    @property
    def tint(self) -> float:
        """How far a shape's colour strays from simply brighter than the ground."""
        return 1.2 * self.level

    @property
    def noise(self) -> tuple[float, float]:
        """Range of the standard deviation of a picture's noise."""
        return 0.02, 0.03 + 0.24 * self.level

    @property
    def clutter(self) -> int:
        """Number of distracting patches behind the shape; half as many small ones lie over it."""
        return round(6 * self.level)

    @property
    def radius(self) -> tuple[float, float]:
        return 9.0 - 3.0 * self.level, 12.0 - self.level

    @property
    def shift(self) -> float:
        """Largest displacement of the centre from the middle."""
        return 1.0 + 2.0 * self.level

    @property
    def turn(self) -> float:
        """Largest angle by which a shape is turned, in radians."""
        return np.pi * (0.04 + 0.12 * self.level)


def generate(count: int, classes: int, difficulty: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` labelled pictures: uint8 pixels (count, 3, 32, 32) and labels (count,), the classes evenly many.

    The same arguments give the same pictures; `count` is part of them.

    Raises:
        ExplorerError: they would take too much memory.
    """
    pixels, labels, _ = generate_with_masks(count, classes, difficulty, seed)
    return pixels, labels


def generate_with_masks(
    count: int, classes: int, difficulty: float, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `generate` gives, and where each picture's shape is: bool (count, 32, 32).

    Raises:
        ExplorerError: they would take too much memory.
    """
    memory.require(_COPIES * count * 4 * SIZE * SIZE, f"{count:,} made pictures", "ask for fewer, with a smaller n")
    labels = np.arange(count) % classes
    pixels, inside = np.empty((count, 3, SIZE, SIZE), np.uint8), np.empty((count, SIZE, SIZE), bool)
    for number, start in enumerate(range(0, count, _CHUNK)):
        part = slice(start, min(start + _CHUNK, count))
        generator = np.random.default_rng([seed, classes, number])
        pixels[part], inside[part] = _draw(labels[part], Difficulty(difficulty), generator)
    return pixels, labels, inside


def _draw(labels: np.ndarray, difficulty: Difficulty, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    count = len(labels)
    uniform = _uniform(generator, count)
    ground = uniform(0.15, 0.55, channels=3)
    picture = ground + _slope(uniform)
    for _ in range(difficulty.clutter):
        picture = _patch(picture, uniform, reach=SIZE / 2, opacity=0.6)
    colour = ground + _direction(generator, count, difficulty.tint) * uniform(*difficulty.contrast)[:, None]
    other = ground - (colour - ground) * uniform(0.2, 0.6)[:, None]
    picture, inside = _paint(picture, labels, colour, other, difficulty, uniform)
    for _ in range(difficulty.clutter // 2):
        picture = _patch(picture, uniform, reach=SIZE / 2, opacity=0.8, size=(1.0, 2.5))
    noise = uniform(*difficulty.noise)[:, None]
    picture = picture + noise * generator.standard_normal(picture.shape, np.float32)
    return (picture.clip(0, 1) * 255).round().astype(np.uint8), inside > 0.5


def _paint(
    picture: np.ndarray,
    labels: np.ndarray,
    colour: np.ndarray,
    other: np.ndarray,
    difficulty: Difficulty,
    uniform: Callable[..., np.ndarray],
) -> tuple[np.ndarray, Field]:
    """The labelled shape in its texture, `colour` and `other` in the texture's gaps; and how far a pixel is in it."""
    centre = uniform(-difficulty.shift, difficulty.shift), uniform(-difficulty.shift, difficulty.shift)
    u, v = _turned(*centre, uniform(-difficulty.turn, difficulty.turn))
    inside = _coverage(_distance(labels % len(SHAPES), u, v, uniform(*difficulty.radius)))
    u, v = _turned(*centre, uniform(0, 2 * np.pi))
    texture = _texture(labels // len(SHAPES), u, v, uniform(1.6, 2.4), uniform(0, 2 * np.pi))[:, None]
    return picture + inside[:, None] * (colour * texture + other * (1 - texture) - picture), inside


def _distance(shape: np.ndarray, u: Field, v: Field, radius: Field) -> Field:
    """Signed distance to the edge of each image's shape, in pixels, negative inside; all of about the same area."""
    corner = np.cos(np.pi / 6) * np.abs(u) + 0.5 * v
    side, arm = 0.84 * radius, 0.36 * radius
    return np.select(
        [shape[:, None, None] == number for number in range(len(SHAPES))],
        [
            0.95 * np.hypot(u, v) - 0.9 * radius,
            np.maximum(np.abs(u), np.abs(v)) - 0.8 * radius,
            np.maximum(corner, -v) - 0.7 * radius,
            np.maximum(np.minimum(np.abs(u), np.abs(v)) - arm, np.maximum(np.abs(u), np.abs(v)) - 1.2 * side),
        ],
    )


def _texture(kind: np.ndarray, u: Field, v: Field, width: Field, phase: Field) -> Field:
    """How much of the shape's own colour a pixel takes, 0 to 1; stripes and squares are `width` pixels wide."""
    across, along = np.sin(np.pi * u / width + phase), np.sin(np.pi * v / width + phase)
    waves = [np.ones_like(u), _coverage(-2 * across), _coverage(-2 * across * along)]
    return np.select([kind[:, None, None] == number for number in range(len(TEXTURES))], waves)


def _patch(
    picture: np.ndarray,
    uniform: Callable[..., np.ndarray],
    reach: float,
    opacity: float,
    size: tuple[float, float] = (1.5, 5.0),
) -> np.ndarray:
    """One ellipse or box of any colour over each picture."""
    u, v = _turned(uniform(-reach, reach), uniform(-reach, reach), uniform(0, 2 * np.pi))
    wide, high = uniform(*size), uniform(*size)
    box = np.maximum(np.abs(u) - wide, np.abs(v) - high)
    ellipse = (np.hypot(u / wide, v / high) - 1) * np.minimum(wide, high)
    inside = _coverage(np.where(uniform(0, 1) < 0.5, box, ellipse))[:, None] * opacity
    return picture + inside * (uniform(0, 1, channels=3) - picture)


def _slope(uniform: Callable[..., np.ndarray]) -> np.ndarray:
    """Uneven light: a ramp in a random direction."""
    u, _ = _turned(uniform(0, 0), uniform(0, 0), uniform(0, 2 * np.pi))
    return (u / SIZE * uniform(0, 0.3))[:, None]


def _turned(x: Field, y: Field, angle: Field) -> tuple[Field, Field]:
    """Pixel coordinates relative to the centre (x, y), turned by `angle`."""
    axis = np.arange(SIZE, dtype=np.float32) - (SIZE - 1) / 2
    dx, dy = axis[None, None, :] - x, axis[None, :, None] - y
    return np.cos(angle) * dx + np.sin(angle) * dy, np.cos(angle) * dy - np.sin(angle) * dx


def _coverage(distance: Field) -> Field:
    """Share of a pixel inside an edge at this signed distance."""
    return (0.5 - distance).clip(0, 1)


def _direction(generator: np.random.Generator, count: int, tint: float) -> np.ndarray:
    """A unit vector in colour space for every image, (count, 3, 1, 1): towards white, and randomly off by `tint`."""
    vector = 1 + tint * generator.standard_normal((count, 3, 1, 1), np.float32)
    return vector / np.linalg.norm(vector, axis=1, keepdims=True)


def _uniform(generator: np.random.Generator, count: int) -> Callable[..., np.ndarray]:
    """A source of one number per image, float32 of shape (count, 1, 1), or of one per image and channel."""

    def draw(low: float, high: float, channels: int = 0) -> np.ndarray:
        shape = (count, channels, 1, 1) if channels else (count, 1, 1)
        return low + (high - low) * generator.random(shape, np.float32)

    return draw
