"""The bundled letters: what is shipped, how it is split, and the rules by which it was made."""

import shutil

import numpy as np
import pytest
import torch
from PIL import ImageFont

from explorer.errors import ExplorerError
from explorer.places import ASSETS
from explorer.sources import letter_making, load_task
from explorer.sources.letter_making import Font, differences, draw, legibility, make_letters, parts_of, select
from explorer.sources.letter_packages import PACKAGES
from explorer.sources.reading.letter_pictures import PICTURES, RECORD, Letters, read_letters, sealed
from explorer.tasks import PARTS


@pytest.fixture(scope="module")
def letters() -> Letters:
    return read_letters()


def made_font(seed: int, family: str = "", shift: int = 0, noise: int = 80) -> Font:
    """A font whose letters are random blots, the same for all fonts but for a shift and noise."""
    blots = np.random.default_rng(7).integers(0, 2, (26, 8, 8)).repeat(4, 1).repeat(4, 2) * 150
    grain = np.random.default_rng(seed).integers(0, noise + 1, blots.shape)
    return Font(f"pack/{seed}.ttf", family or f"pack {seed}", np.roll(blots, shift, 2).astype(np.uint8) + grain)


def test_a_font_is_in_one_part_with_all_its_letters(letters):
    assert letters.pixels.shape == (len(letters.fonts), 26, 32, 32)
    assert len(set(letters.fonts.tolist())) == len(letters.fonts)
    shares = np.bincount(letters.parts, minlength=4) / len(letters.parts)
    np.testing.assert_allclose(shares, [0.6, 0.1, 0.15, 0.15], atol=0.02)
    pixels, labels, places = letters.flat()
    fonts = {part: set((index // 26).tolist()) for part, index in places.items()}
    assert sum(len(found) for found in fonts.values()) == len(letters.fonts) == len(set().union(*fonts.values()))
    for index in places.values():
        assert len(set(np.bincount(labels[index], minlength=26).tolist())) == 1
    assert len(pixels) == sum(map(len, places.values()))


def test_no_font_is_nearly_one_of_another_part(letters):
    fonts = [Font(name, "", pixels) for name, pixels in zip(letters.fonts, letters.pixels, strict=True)]
    apart = differences(fonts)[letters.parts[:, None] != letters.parts]
    assert apart.min() >= letter_making.ALIKE


def test_the_ref_gives_the_shipped_pictures(letters):
    task = load_task("letters")
    assert task.classes == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert task.input_shape == (1, 32, 32)
    for number, part in enumerate(PARTS):
        images, labels = getattr(task, part).tensors
        given = ((images + 1) / 2 * 255).round().to(torch.uint8).flatten(1)
        shipped = torch.from_numpy(letters.pixels[letters.parts == number]).flatten(0, 1).flatten(1)
        assert labels.bincount().tolist() == [int((letters.parts == number).sum())] * 26
        assert torch.equal(given.long().sum(0), shipped.long().sum(0))
        first = shipped[labels[0] :: 26]  # of the first sample's letter
        assert (first == given[0]).all(1).any()


def test_what_is_shipped_is_small_and_opens_without_pickle():
    assert (ASSETS / PICTURES).stat().st_size < 5e6
    with np.load(ASSETS / PICTURES, allow_pickle=False) as arrays:
        assert {name: arrays[name].dtype.kind for name in arrays.files} == {"pixels": "u", "fonts": "U", "parts": "u"}


def test_every_font_is_named_with_licence_and_author(letters):
    text = (ASSETS / letter_making.NOTES).read_text(encoding="utf-8")
    packages = {package.name: package for package in PACKAGES}
    for name in letters.fonts.tolist():
        assert f"{name}" in text
        package = packages[name.partition("/")[0]]
        row = next(line for line in text.splitlines() if line.startswith(f"| `{package.name}` |"))
        assert package.licence in row
        assert package.by in row
    assert "\n".join(letter_making.about(len(letters.fonts))) in text


def test_changed_or_missing_files_are_refused(tmp_path):
    for name in (PICTURES, RECORD):
        shutil.copy(ASSETS / name, tmp_path)
    content = bytearray((tmp_path / PICTURES).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / PICTURES).write_bytes(content)
    with pytest.raises(ExplorerError, match="not the file that"):
        read_letters(tmp_path)
    (tmp_path / PICTURES).unlink()
    with pytest.raises(ExplorerError, match="can't be read"):
        read_letters(tmp_path)


def test_a_font_is_drawn_in_the_middle_and_as_large_as_it_goes(tmp_path):
    file = tmp_path / "font.ttf"
    file.write_bytes(ImageFont.load_default(20).font_bytes)
    drawn = draw(file)
    assert not isinstance(drawn, str)
    pixels, family = drawn
    assert family == "Aileron"
    ink = pixels > 0
    height, width = ink.any(2).sum(1), ink.any(1).sum(1)
    assert np.maximum(height, width).max() <= letter_making.INK
    assert np.maximum(height, width).min() >= letter_making.INK - 1
    assert width[8] < height[8]  # I keeps its proportions
    np.testing.assert_array_equal(draw(file)[0], pixels)
    file.write_bytes(b"no font")
    assert draw(file) == "unreadable"


def test_differences_of_a_worked_example():
    black, white = np.zeros((26, 32, 32), np.uint8), np.full((26, 32, 32), 255, np.uint8)
    half = np.where(np.arange(32) < 16, black, white)
    np.testing.assert_allclose(
        differences([Font(str(n), str(n), pixels) for n, pixels in enumerate((black, white, half))]),
        [[0, 1, 0.5**0.5], [1, 0, 0.5**0.5], [0.5**0.5, 0.5**0.5, 0]],
        atol=1e-12,
    )


def test_ornaments_copies_and_further_styles_are_left_out():
    fonts = [made_font(seed) for seed in range(6)]
    stars = Font("pack/stars.ttf", "pack stars", np.roll(made_font(9).pixels, 1, axis=0))  # A looks like a Z
    copy = Font("pack/copy.ttf", "pack copy", np.maximum(fonts[0].pixels, 8))
    family = [made_font(20 + number, "pack many") for number in range(6)]
    assert legibility(fonts).tolist() == [26] * 6
    kept, dropped = select([*fonts, stars, copy, *family])
    assert dropped == {stars.name: "ornament", copy.name: "copy", "pack/24.ttf": "style", "pack/25.ttf": "style"}
    assert [font.name for font in kept] == [font.name for font in (*fonts, *family[:4])]


def test_families_and_near_copies_stay_together():
    blank = np.zeros((26, 32, 32), np.uint8)
    fonts = []
    for number in range(40):  # pairs of a family, each a picture of its own
        pixels = blank.copy()
        pixels.reshape(-1)[number * 600 : (number + 1) * 600] = 255
        fonts.append(Font(f"pack/{number}.ttf", f"pack {number // 2}", pixels))
    fonts += [Font("pack/near.ttf", "pack near", fonts[0].pixels)]
    parts = parts_of(fonts)
    assert all(parts[number] == parts[number + 1] for number in range(0, 40, 2))
    assert parts[40] == parts[0]
    assert set(np.bincount(parts, minlength=4)) <= {4, 5, 6, 7, 24, 25, 26}
    assert np.array_equal(parts, parts_of(fonts))


def test_making_is_repeatable_and_replaces_nobody_elses_files(tmp_path, monkeypatch):
    fonts = [made_font(seed) for seed in range(12)]
    monkeypatch.setattr(letter_making, "draw_fonts", lambda folder, report: (fonts, {"pack/old.ttf": "missing"}))
    first, again = tmp_path / "first", tmp_path / "again"
    for folder in (first, again, again):
        folder.mkdir(exist_ok=True)
        record = make_letters(folder)
    assert {path.name: path.read_bytes() for path in first.iterdir()} == {
        path.name: path.read_bytes() for path in again.iterdir()
    }
    assert sum(record["fonts"].values()) == 12
    assert record["dropped"] == {"missing": 1}
    assert len(read_letters(first).fonts) == 12
    (tmp_path / PICTURES).write_text("mine")
    with pytest.raises(ExplorerError, match="not of this program"):
        make_letters(tmp_path)
    assert (tmp_path / PICTURES).read_text() == "mine"


def test_missing_packages_are_named(tmp_path):
    with pytest.raises(ExplorerError, match=r"no fonts of fonts-aenigma: install .* --packages"):
        make_letters(tmp_path, tmp_path)


def test_bytes_are_sealed():
    letters = Letters(np.zeros((1, 26, 32, 32), np.uint8), np.array(["pack/a.ttf"]), np.zeros(1, np.uint8))
    content, record = sealed(letters, fonts=1)
    assert (content, record) == sealed(letters, fonts=1)
    assert record["fonts"] == 1
