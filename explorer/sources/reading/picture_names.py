"""Finding the picture that a table means by a path, a name or an id."""

from collections.abc import Iterable
from pathlib import Path

from explorer.sources.reading.picture_files import EXTENSIONS

_LEVELS = 4  # of a path that tell pictures apart


class PictureNames:
    """Pictures by what others may call them: the end of their path, with or without its extension, in any case.

    Only pictures that it was given are ever found, whatever a table says.
    """

    def __init__(self, pictures: Iterable[Path]) -> None:
        self._exact: dict[str, Path | None] = {}
        self._folded: dict[str, Path | None] = {}
        for path in pictures:
            for name in _names(path):
                self._enter(self._exact, name, path)
                self._enter(self._folded, name.casefold(), path)

    @staticmethod
    def _enter(index: dict[str, Path | None], name: str, path: Path) -> None:
        """A name that two pictures share means neither; the longer ends of their paths still do."""
        index[name] = path if index.get(name, path) == path else None

    def find(self, text: object) -> Path | None:
        """The one picture that is meant; None where there is none, or no telling which."""
        if isinstance(text, bool) or not isinstance(text, str | int):
            return None
        parts = [part for part in str(text).strip().replace("\\", "/").split("/") if part not in ("", ".")]
        for start in range(max(0, len(parts) - _LEVELS), len(parts)):
            name = "/".join(parts[start:])
            found = self._exact.get(name) or self._folded.get(name.casefold())
            if found is not None or name in self._exact:
                return found
        return None


def _names(path: Path) -> Iterable[str]:
    parts = path.parts[-_LEVELS:]
    stem = path.name[: -len(path.suffix)]
    for start in range(len(parts)):
        yield "/".join(parts[start:])
        yield "/".join((*parts[start:-1], stem))


def is_picture(text: object) -> bool:
    """Whether a cell reads as the name of a picture file."""
    return isinstance(text, str) and Path(text.strip()).suffix.lower() in EXTENSIONS
