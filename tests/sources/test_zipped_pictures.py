"""ZIPs of pictures: what is taken of a harmless one, and that a hostile one writes nothing anywhere."""

import io
import stat
import zipfile
import zlib
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer.errors import ExplorerError
from explorer.sources import load_task
from explorer.sources.reading import zipped_pictures as module
from explorer.sources.reading.zipped_pictures import zipped_pictures


def picture(seed: int = 0) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


def zipped(path: Path, files: dict[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def flowers(top: str = "", each: int = 6) -> dict[str, bytes]:
    classes = ("daisy", "rose", "tulip")
    names = (f"{top}{name}/{number}.png" for name in classes for number in range(each))
    return {name: picture(seed) for seed, name in enumerate(names)}


def unpacked(path: Path, folder: Path) -> set[str]:
    with zipped_pictures(path) as pictures:
        pictures.unpack(folder)
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def refused(path: Path, words: str) -> None:
    """The archive is refused in one line before anything is written."""
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(ExplorerError, match=words) as told, zipped_pictures(path):
        pass
    assert "\n" not in str(told.value)
    assert sorted(path.parent.rglob("*")) == before


@pytest.mark.parametrize("top", ["", "flowers/", "a/b/"])
def test_class_folders_become_the_classes_with_or_without_a_folder_around_them(tmp_path, top):
    files = flowers(top, each=10)
    assert unpacked(zipped(tmp_path / "a.zip", files), tmp_path / "out") == files.keys()
    assert load_task(f"folder:{tmp_path}/out").classes == ("daisy", "rose", "tulip")


def test_only_pictures_and_what_is_read_beside_them_are_taken(tmp_path):
    taken = {"a.png": picture(), "labels.csv": b"file,label\n", "data.yaml": b"", "x/boxes.json": b"{}", "b.heic": b""}
    hidden = {"__MACOSX/._a.png": b"x", ".DS_Store": b"x", "x/.git/a.png": b"x", "Thumbs.db": b"x"}
    others = {"more.zip": b"x", "setup.py": b"x", "notes": b"x"}
    path = zipped(tmp_path / "a.zip", taken | hidden | others)
    assert unpacked(path, tmp_path / "out") == set(taken)
    with zipped_pictures(path) as pictures:
        assert pictures.others == len(others)
        assert pictures.size == sum(map(len, taken.values()))


def test_names_of_windows_and_of_macos_are_read_as_they_were_meant(tmp_path):
    path = zipped(tmp_path / "a.zip", {"roses\\1.png": picture(), "größe/2.png": picture()})
    content = path.read_bytes()
    flagged = "größe/2.png".encode()
    for start in (b"PK\x03\x04", b"PK\x01\x02"):  # the flag that says UTF-8 goes, as macOS leaves it out
        place = content.rindex(start, 0, content.rindex(flagged) if start == b"PK\x01\x02" else content.index(flagged))
        flags = place + (6 if start == b"PK\x03\x04" else 8)
        content = content[:flags] + b"\0\0" + content[flags + 2 :]
    path.write_bytes(content)
    assert unpacked(path, tmp_path / "out") == {"roses/1.png", "größe/2.png"}


@pytest.mark.parametrize(
    "name", ["../evil.png", "a/../../evil.png", "/etc/evil.png", "C:\\evil.png", "..\\evil.png", "//host/evil.png"]
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    refused(zipped(tmp_path / "a.zip", flowers() | {name: picture()}), "leads out of the folder")


@pytest.mark.parametrize("name", ["a\nb.png", "a\x1b[31m.png", "a\u2028b.png"])
def test_a_name_with_characters_that_steer_is_refused(tmp_path, name):
    refused(zipped(tmp_path / "a.zip", flowers() | {name: picture()}), "characters in its name that can't be seen")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path, kind):
    entry = zipfile.ZipInfo("daisy/7.png")
    entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
    refused(zipped(tmp_path / "a.zip", flowers() | {entry: b"/etc/passwd"}), "is a link")


def test_an_encrypted_one_is_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", flowers())
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    refused(path, "encrypted: pack it without a password")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_without_bound_are_refused(tmp_path, method):
    refused(zipped(tmp_path / "a.zip", flowers(), method), "make a plain ZIP")


@pytest.mark.parametrize("name", ["x/" * 50 + "a.png", "a" * 300 + ".png", "ab/" * 39 + "a" * 900 + ".png"])
def test_names_beyond_what_a_folder_can_have_are_refused(tmp_path, name):
    refused(zipped(tmp_path / "a.zip", flowers() | {name: picture()}), "folders deep|too long a name")


@pytest.mark.parametrize("names", [("a.png", "./a.png"), ("a.png", "a.png/b.png"), ("x/b.png/c.png", "x/b.png")])
def test_two_files_at_one_place_are_refused(tmp_path, names):
    refused(zipped(tmp_path / "a.zip", dict.fromkeys(names, picture())), "pack the folder anew")


def test_too_many_files_are_refused_before_their_directory_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_FILES", 17)
    path = zipped(tmp_path / "a.zip", flowers())
    refused(path, "more than 17 files")
    content = path.read_bytes()
    end = content.rindex(b"PK\x05\x06")
    path.write_bytes(content[: end + 8] + b"\1\0\1\0" + content[end + 12 :])  # says that it has one
    refused(path, "more than 17 files")
    monkeypatch.setattr(module, "MOST_FILES", 18)
    assert len(unpacked(zipped(tmp_path / "a.zip", flowers()), tmp_path / "out")) == 18


def test_what_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 2**20)
    path = zipped(tmp_path / "a.zip", flowers() | {"bomb.bmp": bytes(2**21)})
    assert path.stat().st_size < 2**15
    refused(path, "unpacks to 2.01 MB, more than the 1 MB")


@pytest.mark.parametrize("whole", [True, False], ids=["with the checksum of all", "with that of what it says"])
def test_a_bomb_that_says_that_it_is_small_writes_no_more_than_it_says(tmp_path, whole):
    path = zipped(tmp_path / "a.zip", {"bomb.bmp": bytes(2**24)})
    content = bytearray(path.read_bytes())
    for start, crc in ((content.index(b"PK\x03\x04"), 14), (content.index(b"PK\x01\x02"), 16)):
        content[start + crc + 8 : start + crc + 12] = (1000).to_bytes(4, "little")
        if not whole:
            content[start + crc : start + crc + 4] = zlib.crc32(bytes(1000)).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ExplorerError, match="can't be read") if whole else nullcontext():
        unpacked(path, tmp_path / "out")
    assert sum(file.stat().st_size for file in (tmp_path / "out").rglob("*") if file.is_file()) <= 1000


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "no files in it"),
        ({"readme.md": b"x", "a.docx": b"x"}, "no pictures in it but 1 of .md, 1 of .docx"),
        ({"a.heic": b"x"}, "1 of .heic: save them as PNG or JPEG"),
        ({"one.zip": b"x", "two.tar": b"x"}, "unpack these first"),
        ({"__MACOSX/._a.png": b"x"}, "no files in it"),
    ],
)
def test_one_without_pictures_says_what_it_has_instead(tmp_path, files, words):
    refused(zipped(tmp_path / "a.zip", files), words)


@pytest.mark.parametrize("part", [0, 0.3, 0.9])
def test_a_part_of_one_is_refused(tmp_path, part):
    content = zipped(tmp_path / "a.zip", flowers()).read_bytes()
    (tmp_path / "a.zip").write_bytes(content[: int(part * len(content))])
    refused(tmp_path / "a.zip", "can't be read: .* pack the folder anew")


def test_damage_anywhere_is_an_error_for_a_person_or_does_not_matter(tmp_path):
    """Every byte of the directory, and some of each file, changed one at a time."""
    content = zipped(tmp_path / "a.zip", {"a/1.png": picture(), "b/2.png": picture(1)}).read_bytes()
    for place in (*range(0, 100, 7), *range(content.index(b"PK\x01\x02"), len(content))):
        (tmp_path / "b.zip").write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        with suppress(ExplorerError):
            unpacked(tmp_path / "b.zip", tmp_path / "out" / str(place))
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "b.zip", "out"}


def test_unpacking_can_be_stopped_and_says_how_far_it_is(tmp_path):
    told: list[float] = []

    def report(fraction: float, message: str, **metrics: float) -> None:
        told.append(fraction)
        if len(told) > 3:
            raise KeyboardInterrupt

    with zipped_pictures(zipped(tmp_path / "a.zip", flowers())) as pictures, pytest.raises(KeyboardInterrupt):
        pictures.unpack(tmp_path / "out", report)
    assert told == [0, 1 / 18, 2 / 18, 3 / 18]
