"""Folders appear whole or not at all, and nobody's files are lost."""

import json
import os
import resource
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from explorer import owned
from explorer.errors import ExplorerError
from explorer.export.layout import REPORT, WEIGHTS, check_place, replacing

OURS = {"model": "demo:x", "title": "x, pruned", "attributes": {}, "input_shape": [1, 8, 8]}
OURS |= {"architecture": {"family": "demo", "name": "x", "arguments": {}}}


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != owned.MARK)


def earlier(folder, report=OURS, **files):
    """A bundle of a version that set no mark."""
    folder.mkdir(parents=True)
    (folder / REPORT).write_text(json.dumps(report))
    (folder / WEIGHTS).write_bytes(b"")
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


def everything(folder):
    """What lies below a folder: kinds, contents, times."""
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_mtime_ns, os.readlink(path) if path.is_symlink() else "")
        for path in folder.rglob("*")
    }


def test_it_appears_at_the_end(tmp_path):
    with replacing(tmp_path / "a" / "b") as folder:
        (folder / "report.json").write_text("{}")
        assert not (tmp_path / "a" / "b").exists()
    assert names(tmp_path / "a") == ["b"]
    assert names(tmp_path / "a" / "b") == ["report.json"]


def test_failure_leaves_neither_it_nor_new_parents(tmp_path):
    def fail() -> None:
        with replacing(tmp_path / "a" / "b") as folder:
            (folder / "half").write_text("…")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert names(tmp_path) == []


@pytest.mark.parametrize("mark", [False, True])
def test_an_earlier_one_is_replaced_and_other_files_are_taken_over(tmp_path, mark):
    out = earlier(tmp_path / "out", notes_txt="old", plan_json="old", model_onnx="old")
    if mark:
        owned.mark(out, owned.BUNDLE)
        (out / REPORT).write_text("damaged")
    with replacing(out) as folder:
        (folder / "report.json").write_text("new")
        (folder / "plan.json").write_text("new")
    assert {name: (out / name).read_text() for name in names(out)} == {
        "report.json": "new",
        "plan.json": "new",
        "notes.txt": "old",
    }
    assert names(tmp_path) == ["out"]
    assert owned.marked(out, owned.BUNDLE)


def no_bundle(folder):
    """Places that may not become a bundle, and what is said."""
    bundle = earlier(folder / "bundle")
    (folder / "link").symlink_to(bundle)
    (folder / "dangling").symlink_to(folder / "nowhere")
    (folder / "file").write_text("…")
    earlier(folder / "other", {"model": "theirs", "results": []})
    earlier(folder / "almost", {**OURS, "architecture": "vgg"})
    (folder / "lacks").mkdir()
    (folder / "lacks" / REPORT).write_text(json.dumps(OURS))
    (bundle / "steps" / "01").mkdir(parents=True)
    owned.make_folder(folder / "run.partial", owned.STEPS)
    (folder / "forged").mkdir()
    (folder / "forged" / owned.MARK).symlink_to(folder / "run.partial" / owned.MARK)
    return {
        "link": "is a link",
        "link/": "is a link",
        "dangling": "is a link",
        "file": "is a file",
        "file/below": "can't write",
        "other": "other files",
        "almost": "other files",
        "lacks": "other files",
        "forged": "other files",
        "bundle/..": "no name",
        "bundle/steps/02": "goes with its run",
        "run.partial/out": "goes with its run",
        "run.partial": "other files",
        ".": "no name",
        "/": "no name",
        "": "no name",
        str(folder): "other files",
        "x" * 300: "can't write",
        "a\0b": "can't write",
    }


def test_what_is_not_ours_is_refused_and_nothing_changes(tmp_path, monkeypatch):
    places = no_bundle(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = everything(tmp_path)
    for place, words in places.items():
        with pytest.raises(ExplorerError, match=words):
            check_place(Path(place))
        with pytest.raises(ExplorerError), replacing(Path(place)):
            pytest.fail("was entered")
    assert everything(tmp_path) == before


def test_what_comes_in_the_way_meanwhile_stays(tmp_path):
    """A folder, a link and a file that stand there when the new folder is to take its place."""
    other = tmp_path / "other"
    for number, put in enumerate((lambda out: other.rename(out), lambda out: out.symlink_to(other), other_file)):
        other.mkdir(exist_ok=True)
        (other / "thesis.tex").write_text("…")
        out = tmp_path / f"out{number}"

        def write(out=out, put=put) -> None:
            with replacing(out):
                put(out)

        with pytest.raises(ExplorerError):
            write()
        assert (out if out.is_file() else out / "thesis.tex").read_text() == "…"
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def other_file(out):
    out.write_text("…")


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("…")
    with pytest.raises(ExplorerError, match="holds other files"), replacing(tmp_path):
        pytest.fail("was entered")
    assert names(tmp_path) == ["thesis.tex"]


def test_a_file_is_refused_also_as_a_parent(tmp_path):
    (tmp_path / "file").write_text("…")
    with pytest.raises(ExplorerError, match="is a file"), replacing(tmp_path / "file"):
        pytest.fail("was entered")
    with pytest.raises(ExplorerError, match="can't write"), replacing(tmp_path / "file" / "below"):
        pytest.fail("was entered")
    assert (tmp_path / "file").read_text() == "…"


@pytest.fixture
def little_room():
    """No file may grow beyond four kilobytes: to a program that is what a full disk is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write_text(path):
    path.write_text("x" * 100_000)


def write_tensors(path):
    save_file({"x": torch.zeros(100_000)}, path)


@pytest.mark.parametrize("write", [write_text, write_tensors])
def test_no_room_is_one_line_and_leaves_nothing(tmp_path, little_room, write):
    def fill() -> None:
        with replacing(tmp_path / "out") as folder:
            write(folder / "large")

    with pytest.raises(ExplorerError, match=r"can't write .*out.*on a disk with room"):
        fill()
    assert names(tmp_path) == []
