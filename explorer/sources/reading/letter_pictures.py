"""The bundled pictures of capital letters: the file that `letters` reads, and its seal.

`letters.npz` holds three arrays: `pixels` uint8 (fonts, 26, 32, 32), white ink on black; `fonts` text (fonts,), each
``PACKAGE/FILE``; `parts` uint8 (fonts,), the place in `explorer.tasks.PARTS` of the part that a font belongs to. A font
is in one part with all its letters. `letters.json` holds the digest of that file, and how it was made.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from explorer.errors import ExplorerError
from explorer.places import ASSETS
from explorer.reading import read_object
from explorer.tasks import PARTS

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SIZE = 32  # pixels on either side
PICTURES, RECORD = "letters.npz", "letters.json"


@dataclass(frozen=True)
class Letters:
    """Capitals of many fonts.

    Args:
        pixels: uint8 (fonts, 26, 32, 32), 255 where there is ink.
        fonts: ``PACKAGE/FILE`` of each.
        parts: the part that each font belongs to, as its place in `PARTS`; uint8 (fonts,).
    """

    pixels: np.ndarray
    fonts: np.ndarray
    parts: np.ndarray

    def to_bytes(self) -> bytes:
        """The file that holds them; equal letters give equal bytes."""
        file = io.BytesIO()
        np.savez_compressed(file, pixels=self.pixels, fonts=self.fonts, parts=self.parts)
        return file.getvalue()

    def flat(self) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Pixels (n, 1, 32, 32), labels (n,), and the indices of each part in a fixed order; n is 26 for every font.

        The order is shuffled, so that the first samples of a part are of many fonts.
        """
        labels = np.tile(np.arange(len(ALPHABET)), len(self.fonts))
        parts, generator = np.repeat(self.parts, len(ALPHABET)), np.random.default_rng(0)
        places = {part: generator.permutation(np.flatnonzero(parts == number)) for number, part in enumerate(PARTS)}
        return self.pixels.reshape(-1, 1, SIZE, SIZE), labels, places


def read_letters(folder: Path = ASSETS) -> Letters:
    """The bundled letters.

    Raises:
        ExplorerError: the files are missing, or are not those that were made together.
    """
    try:
        content, record = (folder / PICTURES).read_bytes(), read_object(folder / RECORD)
    except OSError as error:
        raise ExplorerError(
            f"the bundled letters can't be read ({error.strerror}): install this program again"
        ) from None
    if hashlib.sha256(content).hexdigest() != record.get("sha256"):
        raise ExplorerError(
            f"the bundled letters are not the file that {RECORD} was written for: install this program again, or make "
            "both with `python -m explorer demo letters`"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return Letters(arrays["pixels"], arrays["fonts"], arrays["parts"])


def sealed(letters: Letters, **record: Any) -> tuple[bytes, dict[str, Any]]:
    """The bytes of `letters.npz`, and what `letters.json` says of them beside `record`."""
    content = letters.to_bytes()
    return content, {"sha256": hashlib.sha256(content).hexdigest(), **record}
