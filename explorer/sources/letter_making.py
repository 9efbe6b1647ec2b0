"""Making the bundled `letters` from the fonts of Debian: `python -m explorer demo letters`.

Where the fonts come from: the packages of `explorer.sources.letter_packages`, here those of Debian 12, installed with

    apt-get install --no-install-recommends $(python -m explorer demo letters --packages)

What is drawn: the capitals A to Z of a font at 96 points, each cropped to its ink, brought to 26 pixels on its longer
side without changing its proportions, and placed in the middle of 32×32.

Which fonts are left out, in this order; a font is taken with all 26 letters or not at all:

1. `unreadable`: Pillow can't open the file as a font.
2. `missing`: a capital has no ink, or is drawn like a character that no font has, as the placeholder.
3. `alike`: two capitals have the same picture.
4. `ornament`: fewer than `LEGIBLE` of the 26 pictures are most like one of the same letter, among all pictures of fonts
   of other families. Stars, faces and labyrinths go that way (one of 26 is chance), and frames that cover their letter.
   Likeness is the correlation of the pictures at 16×16.
5. `copy`: the font differs by less than `COPY` from one before it.
6. `style`: `STYLES` fonts of its family are there already.

How they are split: fonts of one family, and fonts that differ by less than `ALIKE`, stay together. These groups are
dealt out in an order drawn from `SEED`, each to the part that lacks most of its share of the fonts (60 % train, 10 %
calibration, 15 % validation, 15 % test), so that no part has a font, a family or a near copy of another part's.

Two fonts differ by the root mean square of the differences of their pixels, of 0 to 1, over all letters. Squares and
products of pixels are summed as whole numbers below 2⁵³, so that it is the same on every machine. The pictures are the
same with the same fonts, Pillow and FreeType; the versions of the two are recorded.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from PIL import Image, ImageDraw, ImageFont, features

from explorer.errors import ExplorerError
from explorer.files import check_file, json_text, replacing_file
from explorer.progress import Report, silent
from explorer.reading import DamagedError, read_object
from explorer.sources.letter_packages import PACKAGES, Package
from explorer.sources.reading.letter_pictures import ALPHABET, PICTURES, RECORD, SIZE, Letters, sealed
from explorer.sources.reading.splits import FRACTIONS
from explorer.tasks import PARTS

FONTS = Path("/usr/share/fonts")
NOTES = "letters.md"
POINTS, INK = 96, 26  # size at which a letter is drawn, and of its longer side in the picture, in pixels
LEGIBLE = 4  # letters of 26
STYLES = 4  # fonts of a family
COPY, ALIKE = 0.08, 0.14  # differences of two fonts
SEED = 0
DROPPED = {
    "unreadable": "can't be opened",
    "missing": "lacks a capital",
    "alike": "draws two capitals alike",
    "ornament": "draws no letters that other fonts' letters resemble",
    "copy": "is nearly the same as an earlier one",
    "style": f"belongs to a family of which {STYLES} are there",
}
_UNASSIGNED = ("\uffff", "\U0010fffd")  # characters that no font has
_COARSE = SIZE // 2


@dataclass(frozen=True)
class Font:
    """The capitals of a font.

    Args:
        name: ``PACKAGE/FILE``.
        family: the package and the first word of the family's name, so that Liberation Sans and Mono are of one.
        pixels: uint8 (26, 32, 32).
    """

    name: str
    family: str
    pixels: np.ndarray


def make_letters(out: Path, fonts: Path = FONTS, report: Report = silent) -> dict[str, Any]:
    """Draws the letters and writes `letters.npz`, `letters.json` and `letters.md` into a folder; gives the record.

    Args:
        out: the folder, which must be there.
        fonts: where the packages have put their fonts.

    Raises:
        ExplorerError: a package isn't installed, another program's file would be replaced, or `out` can't be written.
        Cancelled: by the report.
    """
    _check(out)
    drawn, dropped = draw_fonts(fonts, report)
    kept, reasons = select(drawn)
    dropped |= reasons
    letters = Letters(np.stack([font.pixels for font in kept]), np.array([font.name for font in kept]), parts_of(kept))
    content, record = sealed(
        letters,
        fonts={part: int((letters.parts == number).sum()) for number, part in enumerate(PARTS)},
        dropped=dict(Counter(dropped.values())),
        versions={"pillow": PIL.__version__, "freetype": features.version("freetype2")},
    )
    for name, written in (
        (PICTURES, content),
        (RECORD, json_text(record).encode()),
        (NOTES, notes(letters, dropped).encode()),
    ):
        with replacing_file(out / name, private=False) as path:
            path.write_bytes(written)
    return record


def draw_fonts(folder: Path, report: Report = silent) -> tuple[list[Font], dict[str, str]]:
    """The fonts of all packages that have 26 capitals, and why others were dropped, by name.

    Raises:
        ExplorerError: a package has put no font there.
        Cancelled: by the report.
    """
    files = [(package, file) for package in PACKAGES for file in _files(package, folder)]
    drawn, dropped = [], {}
    for number, (package, file) in enumerate(files):
        name = f"{package.name}/{file.name}"
        report(number / len(files), f"drawing {name}")
        font = draw(file)
        if isinstance(font, str):
            dropped[name] = font
        else:
            pixels, family = font
            drawn.append(Font(name, f"{package.name} {family.split()[0].lower()}", pixels))
    return drawn, dropped


def draw(file: Path) -> tuple[np.ndarray, str] | str:
    """The capitals of a font, uint8 (26, 32, 32), and its family's name; or why it is dropped."""
    try:  # without Raqm, which isn't there everywhere and shapes letters differently
        font = ImageFont.truetype(str(file), POINTS, layout_engine=ImageFont.Layout.BASIC)
    except OSError:
        return "unreadable"
    placeholders = [_picture(font, character) for character in _UNASSIGNED]
    pictures = [_picture(font, letter) for letter in ALPHABET]
    drawn = [picture for picture in pictures if picture is not None]
    if len(drawn) < len(ALPHABET) or any(
        np.array_equal(picture, other) for picture in drawn for other in placeholders if other is not None
    ):
        return "missing"
    pixels = np.stack(drawn)
    if len(np.unique(pixels.reshape(len(pixels), -1), axis=0)) < len(pixels):
        return "alike"
    return pixels, font.getname()[0] or file.stem


def _picture(font: ImageFont.FreeTypeFont, letter: str) -> np.ndarray | None:
    """One letter as uint8 (32, 32); None where it has no ink."""
    left, top, right, bottom = (round(edge) for edge in font.getbbox(letter))
    if right <= left or bottom <= top:
        return None
    drawn = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(drawn).text((-left, -top), letter, fill=255, font=font)
    ink = drawn.getbbox()
    if ink is None:
        return None
    cropped = drawn.crop(ink)
    width, height = (max(1, round(side * INK / max(cropped.size))) for side in cropped.size)
    picture = Image.new("L", (SIZE, SIZE))
    picture.paste(
        cropped.resize((width, height), Image.Resampling.BICUBIC), ((SIZE - width) // 2, (SIZE - height) // 2)
    )
    return np.asarray(picture)


def select(fonts: Sequence[Font]) -> tuple[list[Font], dict[str, str]]:
    """The fonts that are taken, and why others were dropped, by name; see the rules above."""
    legible, apart = legibility(fonts), differences(fonts)
    kept: list[int] = []
    dropped: dict[str, str] = {}
    styles: Counter[str] = Counter()
    for place, font in enumerate(fonts):
        if legible[place] < LEGIBLE:
            dropped[font.name] = "ornament"
        elif (apart[place, kept] < COPY).any():
            dropped[font.name] = "copy"
        elif styles[font.family] == STYLES:
            dropped[font.name] = "style"
        else:
            kept.append(place)
            styles[font.family] += 1
    return [fonts[place] for place in kept], dropped


def legibility(fonts: Sequence[Font]) -> np.ndarray:
    """How many of a font's letters are most like the same letter among the fonts of other families, int (fonts,)."""
    coarse = np.stack([font.pixels for font in fonts]).reshape(len(fonts), len(ALPHABET), _COARSE, 2, _COARSE, 2)
    pictures = coarse.mean(axis=(3, 5)).reshape(len(fonts), len(ALPHABET), -1)
    pictures -= pictures.mean(axis=-1, keepdims=True)
    pictures /= np.linalg.norm(pictures, axis=-1, keepdims=True)
    families = np.array([font.family for font in fonts])
    everybody, own = pictures.reshape(-1, pictures.shape[-1]), np.arange(len(ALPHABET))
    counts = np.empty(len(fonts), int)
    for place, family in enumerate(families):
        likeness = pictures[place] @ everybody.T
        likeness[:, np.repeat(families == family, len(ALPHABET))] = -1
        counts[place] = (likeness.argmax(axis=1) % len(ALPHABET) == own).sum()
    return counts


def differences(fonts: Sequence[Font]) -> np.ndarray:
    """Root mean square differences of the pixels of any two fonts, float64 (fonts, fonts)."""
    pixels = np.stack([font.pixels for font in fonts]).reshape(len(fonts), -1).astype(float)
    squares = (pixels**2).sum(axis=1)
    summed = squares[:, None] + squares - 2 * pixels @ pixels.T
    return np.sqrt(summed.clip(0) / pixels.shape[1]) / 255


def parts_of(fonts: Sequence[Font]) -> np.ndarray:
    """The part that each font belongs to, as its place in `PARTS`, uint8 (fonts,)."""
    groups, shares = list(_groups(fonts)), np.array(FRACTIONS) * len(fonts)
    parts, lacking = np.empty(len(fonts), np.uint8), shares.copy()
    for place in np.random.default_rng(SEED).permutation(len(groups)):
        part = int(np.argmax(lacking / shares))
        parts[groups[place]] = part
        lacking[part] -= len(groups[place])
    return parts


def _groups(fonts: Sequence[Font]) -> Iterator[list[int]]:
    """Places of fonts that stay together, by family or likeness, directly or through others."""
    apart = differences(fonts)
    families = np.array([font.family for font in fonts])
    left = set(range(len(fonts)))
    while left:
        group, waiting = [], [min(left)]
        left.discard(waiting[0])
        while waiting:
            place = waiting.pop()
            group.append(place)
            near = np.flatnonzero((apart[place] < ALIKE) | (families == families[place]))
            waiting += sorted(left.intersection(near.tolist()))
            left.difference_update(waiting)
        yield sorted(group)


def notes(letters: Letters, dropped: dict[str, str]) -> str:
    """`letters.md`: what the pictures are, licences and authors of the fonts, and which fonts were taken or dropped."""
    counts = Counter(name.partition("/")[0] for name in letters.fonts.tolist())
    rows = [
        f"| `{package.name}` | {counts[package.name]} | {package.licence} | {package.by} |"
        for package in PACKAGES
        if counts[package.name]
    ]
    lines = [
        "# Letters: where the pictures come from",
        "",
        *about(len(letters.fonts)),
        "",
        "Made by `python -m explorer demo letters`; the rules are in `explorer/sources/letter_making.py`.",
        "",
        "| Debian package | fonts | licence of the fonts | by |",
        "|---|---|---|---|",
        *rows,
        "",
        "## Fonts of each part",
        "",
    ]
    for number, part in enumerate(PARTS):
        names = sorted(letters.fonts[letters.parts == number].tolist())
        lines += [f"**{part}** ({len(names)}): {', '.join(names)}", ""]
    lines += ["## Fonts that were left out", ""]
    for reason, meaning in DROPPED.items():
        names = sorted(name for name, why in dropped.items() if why == reason)
        lines += [f"**{reason}** ({len(names)}), a font that {meaning}: {', '.join(names) or 'none'}", ""]
    return "\n".join(lines)


def about(fonts: int) -> list[str]:
    """The lines of `letters.md` on what pictures of so many fonts are, and on what terms."""
    return [
        f"`{PICTURES}` holds the capitals A to Z of {fonts} fonts of Debian as pictures of {SIZE}×{SIZE} pixels: each "
        f"letter drawn, cropped to its ink, and brought to {INK} pixels on its longer side.",
        "",
        "The pictures are renderings, which a program has drawn with the fonts; no font file, outline or other font "
        "software is among them. The licences in the table are those of the fonts, for whoever wants these. Version "
        "1.1 of the SIL Open Font License says that it does not reach documents created with a font; version 1.0 says "
        "nothing of such documents, and the font exception to the GPL is about documents that embed a font, which the "
        "pictures don't. That the pictures are not font software is how this project reads the licences, and no legal "
        "advice. The authority on each package's terms is its own `/usr/share/doc/PACKAGE/copyright`. Everybody who "
        "made the fonts is to be named, so pass this table on with the pictures.",
    ]


def _files(package: Package, folder: Path) -> list[Path]:
    files = sorted(folder.glob(package.files))
    if not files:
        raise ExplorerError(
            f"{folder} has no fonts of {package.name}: install the packages that `demo letters --packages` lists, or "
            "name the folder that has them with --fonts"
        )
    return files


def _check(out: Path) -> None:
    """Refuses a folder in which a file of somebody else's would be replaced."""
    check_file(out / RECORD, lambda path: _is_record(path))
    for name in (PICTURES, NOTES):
        check_file(out / name, lambda path: _is_record(path.with_name(RECORD)))


def _is_record(path: Path) -> bool:
    """Whether a file is the record of letters that were made."""
    try:
        return {"sha256", "fonts", "dropped"} <= read_object(path).keys()
    except (FileNotFoundError, DamagedError):
        return False
