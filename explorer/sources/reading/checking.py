"""A look at all picture files before anything long begins: which can't be read, and what the others are."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import PIL
from PIL import Image

from explorer import cache, memory
from explorer.batches import spread
from explorer.errors import ExplorerError
from explorer.memory import KEPT
from explorer.plain import visible
from explorer.sources.reading import pixel_kinds
from explorer.sources.reading.picture_files import opened
from explorer.sources.reading.pixel_kinds import CLEAR, FLOATING, FRAMES, WIDE, brightest, in_bytes

T = TypeVar("T")
SKIP = "skip=bad"  # the option of a folder that leaves bad files out
_HEADERS = 20_000  # files of which at least the header is read
_DECODED = 400_000_000  # pixels that are decoded at most, in a few seconds; of more pictures some are drawn
_WORKERS = min(8, os.cpu_count() or 1)
_NAMED = 5  # bad files in one line
_DARK = 4095  # of 65,535: white of cameras that write 12 bits into 16


class BadPicturesError(ExplorerError):
    """Files of a folder that can't be read.

    Args:
        message: that names some of them.
        bad: all of them, each with the reason.
        without: the ref that leaves them out; empty where nothing would be left.
    """

    def __init__(self, message: str, bad: Sequence[str], without: str) -> None:
        super().__init__(message)
        self.bad, self.without = tuple(bad), without


@dataclass(frozen=True)
class Checked:
    """What a look at picture files found.

    Args:
        files: how many there are.
        headers: of how many the header was read.
        decoded: how many were decoded.
        bad: the files that can't be read, and why.
        kinds: how many of the decoded ones are of each kind of `explorer.sources.reading.pixel_kinds`.
        brightest: the largest value of those with 16 bits.
        same: decoded files that are the same byte by byte, a group each.
    """

    files: int
    headers: int
    decoded: int
    bad: dict[Path, str]
    kinds: dict[str, int]
    brightest: int
    same: list[list[Path]]

    def left_out(self) -> list[str]:
        """That bad files are left out, as a clause; none where there are none."""
        return [f"{len(self.bad):,} files that can't be read are left out"] if self.bad else []

    def remarks(self) -> list[str]:
        """What a person should know of the others, a clause each."""
        said = []
        if self.decoded < self.files:
            said.append(
                f"of {self.files:,} picture files {self.headers:,} were looked at and {self.decoded:,} decoded, spread "
                "evenly: the others may still be bad"
            )
        if count := self.kinds.get(WIDE):
            dark = f", of which at most {self.brightest:,} is used, so they are dark" if self.brightest <= _DARK else ""
            said.append(f"{count:,} pictures have 16 bits, scaled so that 65,535 is white{dark}")
        if count := self.kinds.get(FLOATING):
            said.append(f"{count:,} pictures have floating-point numbers, of which 1 is white")
        if count := self.kinds.get(CLEAR):
            said.append(
                f"{count:,} pictures are transparent: laid on white, or on black where all that is seen is white"
            )
        if count := self.kinds.get(FRAMES):
            said.append(f"{count:,} files have several frames, of which the first is read")
        return said


def check_pictures(files: Sequence[Path], *, thoroughly: bool = False) -> Checked:
    """Reads the headers of all files and decodes them, within a few seconds where there are very many.

    What was found is kept for as long as the files stay as they are.

    Args:
        thoroughly: whether every file is decoded, however many there are.
    """
    key = _digest(files, thoroughly)
    return KEPT.get((__name__, key), lambda: _checked_before(files, thoroughly, key))


def good_pictures(files: Sequence[Path], ref: str, *, skip: bool) -> tuple[set[Path], Checked]:
    """The files that can be read, all of them unless `skip`.

    Raises:
        BadPicturesError: some can't; it names them, and the ref that goes on without.
    """
    checked = check_pictures(files, thoroughly=skip)
    if checked.bad and not skip:
        raise refusal([f"{path.parent.name}/{path.name} ({why})" for path, why in checked.bad.items()], len(files), ref)
    return set(files) - checked.bad.keys(), checked


def refusal(bad: Sequence[str], of: int, ref: str, what: str = "pictures can't be read") -> BadPicturesError:
    """The error that lists bad files."""
    more = f" and {len(bad) - _NAMED:,} more" if len(bad) > _NAMED else ""
    without = f"{ref}{'&' if _has_options(ref) else '?'}{SKIP}" if len(bad) < of else ""
    advice = f"repair or remove them, or go on without them: {without}" if without else "no other is left: repair them"
    return BadPicturesError(f"{len(bad):,} of {of:,} {what}: {', '.join(bad[:_NAMED])}{more}; {advice}", bad, without)


def _has_options(ref: str) -> bool:
    return "?label=" in ref


def _digest(files: Iterable[Path], thoroughly: bool) -> str:
    """Changes when any of the files does, or what is taken for readable."""
    bounds = thoroughly, memory.limit(), Image.MAX_IMAGE_PIXELS, PIL.__version__
    found = hashlib.sha256(repr(bounds).encode())
    for path in files:
        with suppress(OSError):
            state = path.stat()
            found.update(f"{path}\0{state.st_size}\0{state.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return found.hexdigest()


def _checked_before(files: Sequence[Path], thoroughly: bool, digest: str) -> Checked:
    entry = cache.Entry("pictures", {"files": digest, "version": 2})
    if document := entry.read():
        bad = {files[int(number)]: why for number, why in document["bad"].items()}
        same = [[files[number] for number in group] for group in document["same"]]
        return Checked(**{**document, "bad": bad, "same": same})
    checked = _check(files, thoroughly)
    place = {path: number for number, path in enumerate(files)}
    with suppress(ExplorerError):  # what can't be kept is found again
        bad = {str(place[path]): why for path, why in checked.bad.items()}
        entry.write({**vars(checked), "bad": bad, "same": [[place[path] for path in group] for group in checked.same]})
    return checked


def _check(files: Sequence[Path], thoroughly: bool) -> Checked:
    looked = [files[place] for place in spread(len(files), len(files) if thoroughly else _HEADERS)]
    with ThreadPoolExecutor(_WORKERS) as pool:
        sizes = list(pool.map(_header, looked))
        bad = {path: found for path, found in zip(looked, sizes, strict=True) if isinstance(found, str)}
        whole = [path for path in looked if path not in bad]
        pixels = sum(size for size in sizes if isinstance(size, int))
        if not thoroughly and pixels > _DECODED:
            share = max(1, int(len(whole) * _DECODED / pixels))
            whole = [whole[place] for place in spread(len(whole), share)]
        found = list(pool.map(_decode, whole))
    bad |= {path: why for path, why in zip(whole, found, strict=True) if isinstance(why, str)}
    read = {path: seen for path, seen in zip(whole, found, strict=True) if isinstance(seen, _Seen)}
    kinds = Counter(kind for seen in read.values() for kind in seen.kinds)
    brightest = max((seen.brightest for seen in read.values()), default=0)
    ordered = {path: bad[path] for path in looked if path in bad}
    return Checked(len(files), len(looked), len(whole), ordered, dict(kinds), brightest, _same(read))


def _same(read: "Mapping[Path, _Seen]") -> list[list[Path]]:
    groups: dict[bytes, list[Path]] = {}
    for path, seen in read.items():
        groups.setdefault(seen.digest, []).append(path)
    return [group for group in groups.values() if len(group) > 1]


def _header(path: Path) -> int | str:
    """The number of pixels that a file says it has, or why it is no picture."""
    return _tried(path, lambda image: image.width * image.height)


@dataclass(frozen=True)
class _Seen:
    """What is seen of one picture: its kinds, its largest value where it has 16 bits, and what its file holds."""

    kinds: frozenset[str]
    brightest: int
    digest: bytes


def _decode(path: Path) -> _Seen | str:
    """What is seen of a picture, or why it can't be read."""

    def look(image: Image.Image) -> _Seen:
        kinds = pixel_kinds.kinds(image)
        in_bytes(image, 3, image.format)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "blake2b").digest()[:16]
        return _Seen(kinds, brightest(image) if WIDE in kinds else 0, digest)

    return _tried(path, look)


def _tried(path: Path, look: Callable[[Image.Image], T]) -> T | str:
    """What is seen of a picture, or why it can't be read."""
    try:
        with opened(path, "it") as image:
            return look(image)
    except ExplorerError as error:
        why = str(error).removeprefix("can't read it: ").removesuffix("; repair or remove it")
        return visible(why.replace(f" {str(path)!r}", ""))
