"""Pictures of every kind look to a network as they look to a person."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.errors import ExplorerError
from explorer.sources import load_task
from explorer.sources.reading.in_memory import CENTRED
from explorer.sources.reading.picture_files import read_picture
from explorer.tasks import PARTS

RAMP = np.arange(0, 256, 17, dtype=np.uint8).reshape(4, 4)  # greys of every lightness
COLOURS = np.stack([RAMP, RAMP[::-1], RAMP.T], axis=-1)
SHAPE = np.zeros((4, 4), np.uint8)
SHAPE[1:3, 1:3] = 255


def read(path: Path, channels: int = 3) -> np.ndarray:
    return read_picture(path, (channels, 4, 4))


def grey(path: Path) -> np.ndarray:
    """A picture whose colours must all be the same."""
    pixels = read(path)
    assert (pixels == pixels[:1]).all()
    return pixels[0]


def with_alpha(colour: np.ndarray, alpha: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([colour, colour, colour, alpha]))


@pytest.mark.parametrize(
    ("name", "picture", "options"),
    [
        ("8.png", RAMP, {}),
        ("8.tif", RAMP, {}),
        ("16.png", RAMP.astype(np.uint16) * 257, {}),
        ("16.tif", RAMP.astype(np.uint16) * 257, {}),
        ("16big.tif", (RAMP.astype(np.uint16) * 257).astype(">u2"), {}),
        ("float.tif", RAMP.astype(np.float32) / 255, {}),
        ("palette.png", Image.fromarray(RAMP).convert("P"), {}),
        ("palette.gif", Image.fromarray(RAMP).convert("P"), {}),
        ("la.png", Image.merge("LA", [Image.fromarray(RAMP), Image.new("L", (4, 4), 255)]), {}),
        ("rgba.png", with_alpha(RAMP, np.full_like(RAMP, 255)), {}),
        ("forgotten.png", with_alpha(RAMP, np.zeros_like(RAMP)), {}),
        ("animated.gif", Image.fromarray(RAMP), {"save_all": True, "append_images": [Image.new("L", (4, 4), 9)]}),
        ("pages.tif", Image.fromarray(RAMP), {"save_all": True, "append_images": [Image.new("L", (4, 4), 9)]}),
        ("named.jpg", RAMP, {"format": "PNG"}),
    ],
)
def test_greys_are_the_same_in_every_form(tmp_path, name, picture, options):
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(tmp_path / name, **options)
    assert np.array_equal(grey(tmp_path / name), RAMP)
    assert np.array_equal(read(tmp_path / name, channels=1)[0], RAMP)


def test_sixteen_bits_of_portable_greymaps(tmp_path):
    content = b"P5 4 4 65535 " + (RAMP.astype(np.uint16) * 257).astype(">u2").tobytes()
    (tmp_path / "16.pgm").write_bytes(content)
    assert np.array_equal(grey(tmp_path / "16.pgm"), RAMP)


def test_one_bit_is_black_and_white(tmp_path):
    Image.fromarray(SHAPE).convert("1").save(tmp_path / "1.png")
    assert np.array_equal(grey(tmp_path / "1.png"), SHAPE)


def test_inks_are_colours(tmp_path):
    Image.fromarray(COLOURS).convert("CMYK").save(tmp_path / "cmyk.tif")
    Image.fromarray(COLOURS).resize((32, 32), 0).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    assert np.array_equal(read(tmp_path / "cmyk.tif"), COLOURS.transpose(2, 0, 1))
    difference = read(tmp_path / "cmyk.jpg").astype(int) - COLOURS.transpose(2, 0, 1)
    assert np.abs(difference).mean() < 12  # JPEG, resized; inverted it would be above 100


@pytest.mark.parametrize(
    ("colour", "expected"),
    [(0, 255 - SHAPE), (60, np.where(SHAPE > 0, 60, 255)), (255, SHAPE)],
    ids=["black on white", "grey on white", "white on black"],
)
def test_a_picture_in_its_transparency_is_seen(tmp_path, colour, expected):
    with_alpha(np.full((4, 4), colour, np.uint8), SHAPE).save(tmp_path / "a.png")
    assert np.array_equal(grey(tmp_path / "a.png"), expected)


def test_transparency_of_a_palette_and_of_one_colour(tmp_path):
    image = Image.fromarray(np.where(SHAPE > 0, 1, 0).astype(np.uint8), mode="P")
    image.putpalette([9, 9, 9, 40, 40, 40])
    image.save(tmp_path / "p.png", transparency=0)
    Image.fromarray(np.dstack([SHAPE // 2] * 3)).save(tmp_path / "rgb.png", transparency=(0, 0, 0))
    assert np.array_equal(grey(tmp_path / "p.png"), np.where(SHAPE > 0, 40, 255))
    assert np.array_equal(grey(tmp_path / "rgb.png"), np.where(SHAPE > 0, 127, 255))


@pytest.mark.parametrize("name", ["turned.jpg", "turned.png", "turned.tif"])
def test_cameras_are_turned_upright(tmp_path, name):
    pixels = np.zeros((32, 32), np.uint8)
    pixels[:, :16] = 255  # white on the left, which is above once it is turned
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / name, exif=exif)
    rows = read(tmp_path / name)[0].mean(1)
    assert rows[0] > 250
    assert rows[3] < 5


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (RAMP.astype(np.float32), "from 0 to 255, and which of them is white is not known"),
        (RAMP.astype(np.float32) / 127.5 - 1, "from -1 to 1"),
        (np.full((4, 4), np.nan, np.float32), "NaN"),
        (RAMP.astype(np.int32), "no known white"),
    ],
    ids=["bytes", "centred", "nan", "integers"],
)
def test_numbers_without_a_known_white_are_refused(tmp_path, values, words):
    Image.fromarray(values).save(tmp_path / "x.tif")
    with pytest.raises(ExplorerError, match=words):
        read(tmp_path / "x.tif")


def test_digits_as_files_are_the_digits(tmp_path):
    digits = load_task("digits")
    written = {}
    for number in range(len(digits.test)):
        image, label = digits.test[number]
        path = tmp_path / str(int(label)) / f"{number:04}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(digits.show(number)[:, :, 0]).save(path)
        written[path] = image
    task = load_task(f"folder:{tmp_path}", input_shape=(1, 32, 32), normalisation=CENTRED)
    assert task.classes == digits.classes
    read = {
        path: samples[n][0] for samples in map(partial(getattr, task), PARTS) for n, path in enumerate(samples.files)
    }
    assert read.keys() == written.keys()
    assert all(torch.equal(read[path], written[path]) for path in written)
