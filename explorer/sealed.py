"""A digest in a document of what it holds, by which damage that leaves it readable is noticed."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from explorer.reading import DamagedError, parse_json, read_object
from explorer.strict_json import dumps

_SEAL = "seal"


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with its seal."""
    return {**document, _SEAL: _digest(document)}


def read_sealed(path: Path, *, required: bool = False) -> dict[str, Any]:
    """A JSON object from a file, without its seal.

    Args:
        required: whether a file without a seal, as earlier versions wrote them, is damaged, too.

    Raises:
        FileNotFoundError, NotADirectoryError: there is none.
        DamagedError, ExplorerError: it can't be read, or does not hold what was written.
    """
    document = read_object(path)
    seal = document.pop(_SEAL, None)
    if seal != _digest(document) and (required or seal is not None):
        raise DamagedError(f"{str(path)!r} is damaged: it does not hold what was written")
    return document


def _digest(document: Mapping[str, Any]) -> str:
    as_read = parse_json(dumps(document))
    return hashlib.sha256(dumps(as_read).encode()).hexdigest()
