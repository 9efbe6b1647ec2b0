"""JSON objects from files, or one line that says what is wrong with them."""

import json
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError, one_line


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        ExplorerError: the file is missing or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExplorerError(f"can't read {str(path)!r}: {error.strerror}") from None
    except ValueError as error:
        raise ExplorerError(f"{str(path)!r} is damaged: {one_line(error)}") from None
    if not isinstance(value, dict):
        raise ExplorerError(f"{str(path)!r} is damaged: it should hold a JSON object")
    return value
