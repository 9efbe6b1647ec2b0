"""A small JSON document as a parameter of a URL, and back: what a link carries, which anybody may have written."""

import base64
import binascii
import json
import zlib
from typing import Any

from explorer.errors import ExplorerError

DAMAGED = "the link is damaged: copy it again, all of it"


def pack(document: Any) -> str:
    """The document as text of letters, digits, ``-`` and ``_``."""
    text = json.dumps(document, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(zlib.compress(text, 9)).decode().rstrip("=")


def unpack(text: str, largest: int) -> Any:
    """What `pack` was given.

    Args:
        largest: bytes of JSON, of which no more are unpacked.

    Raises:
        ExplorerError: the text is damaged, too long, or holds characters that no page can show.
    """
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return shown(zlib.decompressobj().decompress(packed, largest))
    except (binascii.Error, ValueError, zlib.error):
        raise ExplorerError(DAMAGED) from None


def shown(content: bytes) -> Any:
    """A JSON document whose texts pages can show.

    Raises:
        ValueError: it is no JSON, too deep, or has characters in it that no page can show.
    """
    try:
        document = json.loads(content)
        text = json.dumps(document, ensure_ascii=False)
        text.encode()  # no halves of characters
    except RecursionError:
        raise ValueError("too deep") from None
    if r"\u0000" in text:
        raise ValueError("it holds a character that no page can show")
    return document
