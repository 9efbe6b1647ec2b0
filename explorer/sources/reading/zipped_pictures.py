"""Pictures in a ZIP: a folder as a person has packed it, looked at as a whole and then unpacked.

Nothing that an archive says is believed. Every name is looked at before the first file is written; all files are new,
plain ones below the folder that is given; bytes are counted as they are unpacked.
"""

import stat
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from explorer.errors import ExplorerError, one_line
from explorer.memory import in_words
from explorer.progress import Report, silent
from explorer.sources.reading.picture_files import EXTENSIONS
from explorer.sources.reading.picture_trees import ARCHIVES, DEEPEST, UNREAD, is_hidden
from explorer.sources.suffixes import BESIDE_PICTURES

MOST_FILES = 50_000
MOST_BYTES = 2**30  # unpacked
_TAKEN = frozenset((*EXTENSIONS, *BESIDE_PICTURES, *UNREAD))  # without the last a class would be missed by nobody
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others unpack a block as a whole, however large it becomes
_ENTRY = b"PK\x01\x02"  # with which each entry of an archive's directory begins
_ENCRYPTED, _UTF8 = 0x1, 0x800  # flags of an entry
_CHUNK = 2**18  # bytes that are unpacked at once
_LONGEST_NAME, _LONGEST_PART = 1000, 255  # bytes, of which the second is what file systems take
_SHOWN = 60  # characters of a name
_UNSEEN = ("Cc", "Cs", "Zl", "Zp")  # Unicode's categories of controls, halves of characters, breaks of lines


@dataclass(frozen=True)
class ZippedPictures:
    """An open archive that may be unpacked.

    Args:
        files: what is taken of it, each with the names of the folders down to it and its own.
        others: how many files that are not read are left out, without those that systems hide.
        size: bytes of the files once they are unpacked.
    """

    files: list[tuple[zipfile.ZipInfo, tuple[str, ...]]]
    others: int
    size: int
    _archive: zipfile.ZipFile

    def unpack(self, folder: Path, report: Report = silent) -> None:
        """Writes the files below a folder; what has been written when it fails stays there.

        Raises:
            ExplorerError: the archive is damaged, or has more in it than it says.
            OSError: a file can't be written, or is there already.
        """
        written = 0
        for number, (entry, parts) in enumerate(self.files):
            report(number / len(self.files), f"unpacking {number:,} of {len(self.files):,} files")
            path = folder.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                for chunk in self._content(entry):
                    written += len(chunk)
                    if written > self.size:
                        raise ExplorerError(f"the archive has more in it than the {in_words(self.size)} that it says")
                    file.write(chunk)

    def _content(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        with _readable(), self._archive.open(entry) as file:
            while chunk := file.read(_CHUNK):
                yield chunk


@contextmanager
def zipped_pictures(path: Path) -> Iterator[ZippedPictures]:
    """The pictures in an archive, with the files beside them that `folder:` reads.

    Raises:
        ExplorerError: it is damaged, has no pictures or too much in it, or an entry that a folder of pictures has not:
            encrypted, a link, named in a way that leads elsewhere.
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        _require_few(file)
        with _readable():
            archive = zipfile.ZipFile(file)
        with archive:
            yield _looked_at(archive)


def _looked_at(archive: zipfile.ZipFile) -> ZippedPictures:
    everything = [(entry, _parts(entry)) for entry in archive.infolist() if not _name(entry).endswith("/")]
    seen = [(entry, parts) for entry, parts in everything if not any(map(is_hidden, parts))]
    files = [(entry, parts) for entry, parts in seen if _suffix(parts) in _TAKEN]
    if not any(_suffix(parts) in EXTENSIONS for _, parts in files):
        raise _without_pictures([parts for _, parts in seen])
    size = sum(entry.file_size for entry, _ in files)
    if size > MOST_BYTES:
        raise ExplorerError(
            f"the archive unpacks to {in_words(size)}, more than the {in_words(MOST_BYTES)} that one may have: "
            "make the pictures smaller, or pack a part of them"
        )
    _require_places([parts for _, parts in files])
    for entry, _ in files:
        if entry.compress_type not in _METHODS:
            raise ExplorerError(f"{_told(entry)} is packed in a way that is not read: make a plain ZIP of the folder")
    return ZippedPictures(files, len(seen) - len(files), size, archive)


def _require_few(file: BinaryIO) -> None:
    """Refuses an archive of too many entries before its directory is read, by counting how often one begins."""
    count, end = 0, b""
    while chunk := file.read(_CHUNK):
        count += (end + chunk).count(_ENTRY)
        end = chunk[1 - len(_ENTRY) :]
    if count > MOST_FILES:
        raise ExplorerError(f"the archive has more than {MOST_FILES:,} files: pack a part of them")
    file.seek(0)


def _parts(entry: zipfile.ZipInfo) -> tuple[str, ...]:
    """The names of the folders down to an entry, and its own.

    Raises:
        ExplorerError: it is no plain file, or leads elsewhere.
    """
    name = _name(entry)
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    kind = stat.S_IFMT(entry.external_attr >> 16)  # 0 where the system that packed it knows none
    if any(unicodedata.category(character) in _UNSEEN for character in entry.orig_filename + name):
        problem = "has characters in its name that can't be seen: rename it"
    elif name.startswith("/") or ":" in name or ".." in parts or not parts:
        problem = "leads out of the folder: pack the folder of pictures itself"
    elif kind not in (0, stat.S_IFREG):
        problem = "is a link, or no file at all: pack the files themselves"
    elif entry.flag_bits & _ENCRYPTED:
        problem = "is encrypted: pack it without a password"
    elif len(parts) > DEEPEST:
        problem = f"lies more than {DEEPEST} folders deep: pack the folder of pictures itself"
    elif len(name.encode()) > _LONGEST_NAME or any(len(part.encode()) > _LONGEST_PART for part in parts):
        problem = "has too long a name: shorten it"
    else:
        return parts
    raise ExplorerError(f"{_told(entry)} {problem}")


def _name(entry: zipfile.ZipInfo) -> str:
    """An entry's name with slashes between folders; older Windows packs backslashes.

    macOS writes UTF-8 without saying so, which is then read as IBM's code page 437 (APPNOTE.TXT, appendix D).
    """
    name = entry.filename
    if not entry.flag_bits & _UTF8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _told(entry: zipfile.ZipInfo) -> str:
    name = entry.orig_filename
    return f"{name if len(name) <= _SHOWN else name[: _SHOWN - 1] + '…'!r} in the archive"


def _suffix(parts: Sequence[str]) -> str:
    return Path(parts[-1]).suffix.lower()


def _require_places(files: Sequence[tuple[str, ...]]) -> None:
    """Refuses two files at one place, and a file where another one needs a folder."""
    seen: set[tuple[str, ...]] = set()
    for parts in files:
        if parts in seen:
            raise ExplorerError(f"the archive has {'/'.join(parts)[:_SHOWN]!r} twice: pack the folder anew")
        seen.add(parts)
    for parts in files:
        if any(parts[:depth] in seen for depth in range(1, len(parts))):
            raise ExplorerError(f"the archive has {'/'.join(parts)[:_SHOWN]!r} below a file: pack the folder anew")


def _without_pictures(files: Sequence[tuple[str, ...]]) -> ExplorerError:
    """What an archive has instead."""
    suffixes = Counter(_suffix(parts) or "no suffix" for parts in files)
    if not suffixes:
        return ExplorerError("the archive has no files in it: pack the folder of pictures")
    found = ", ".join(f"{count:,} of {suffix[:_SHOWN]}" for suffix, count in suffixes.most_common(3))
    advice = "unpack these first" if suffixes.keys() <= ARCHIVES else "save them as PNG or JPEG"
    return ExplorerError(f"the archive has no pictures in it but {found}: {advice}")


@contextmanager
def _readable() -> Iterator[None]:
    """Says in one line what keeps an archive from being read."""
    try:
        yield
    except ExplorerError:
        raise
    except Exception as error:  # of a reader whose file is damaged, or made to harm
        raise ExplorerError(f"the archive can't be read: {one_line(error)}; pack the folder anew as a .zip") from None
