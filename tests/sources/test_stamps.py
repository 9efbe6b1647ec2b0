"""What is noticed of the files behind a ref."""

import os
import time

import pytest

from explorer.sources import stamps
from explorer.sources.stamps import stamp_of


@pytest.fixture
def later(monkeypatch):
    """A call lets a minute pass."""
    passed = [0.0]
    now = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + passed[0])

    def pass_on():
        passed[0] += 60.0

    return pass_on


@pytest.fixture
def pictures(tmp_path):
    """A folder of two classes in two parts, with a picture each."""
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            folder = tmp_path / "root" / part / name
            folder.mkdir(parents=True)
            (folder / "0.png").write_bytes(b"picture")
    return tmp_path / "root"


def added(root):
    (root / "train" / "cat" / "1.png").write_bytes(b"picture")


def removed(root):
    (root / "train" / "cat" / "0.png").unlink()


def renamed(root):
    (root / "train" / "cat" / "0.png").rename(root / "train" / "cat" / "2.png")


def rewritten(root):
    (root / "train" / "cat" / "0.png").write_bytes(b"another picture")


def rewritten_in_the_same_time(root):
    path = root / "train" / "cat" / "0.png"
    before = path.stat()
    path.write_bytes(b"another picture")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def moved_on(root):
    path = root / "train" / "cat" / "0.png"
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


@pytest.mark.parametrize("change", [added, removed, renamed, rewritten, rewritten_in_the_same_time, moved_on])
def test_what_changes_deep_in_a_folder_is_noticed(pictures, later, change):
    before = stamp_of(f"folder:{pictures}")
    later()
    assert stamp_of(f"folder:{pictures}") == before
    change(pictures)
    later()
    assert stamp_of(f"folder:{pictures}") != before


@pytest.mark.parametrize(("change", "noticed"), [(added, True), (removed, True), (renamed, True), (moved_on, False)])
def test_of_very_many_files_the_folders_tell(pictures, later, monkeypatch, change, noticed):
    monkeypatch.setattr(stamps, "MOST_FILES", 2)
    before = stamp_of(f"folder:{pictures}")
    os.utime(pictures / "train" / "cat", (0, 0))
    later()
    dated = stamp_of(f"folder:{pictures}")
    assert dated != before
    change(pictures)
    later()
    assert (stamp_of(f"folder:{pictures}") != dated) is noticed


def test_a_folder_is_walked_once_for_many_questions(pictures, monkeypatch):
    looked = []
    listed = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: looked.append(folder) or listed(folder))
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)
    first = stamp_of(f"folder:{pictures}")
    walked = len(looked)
    assert walked == 7
    assert {stamp_of(f"folder:{pictures}") for _ in range(5)} == {first}
    assert len(looked) == walked


def test_links_that_lead_in_circles_end(pictures, later):
    (pictures / "train" / "again").symlink_to(pictures)
    (pictures / "train" / "nowhere").symlink_to(pictures / "missing")
    before = stamp_of(f"folder:{pictures}")
    assert before != "missing"
    added(pictures)
    later()
    assert stamp_of(f"folder:{pictures}") != before


def test_a_folder_that_is_gone_is_missing(pictures, tmp_path):
    stamp_of(f"folder:{pictures}")
    pictures.rename(tmp_path / "elsewhere")
    assert stamp_of(f"folder:{pictures}") == "missing"
