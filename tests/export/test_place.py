"""Folders appear whole or not at all, and nobody's files are lost."""

import resource

import pytest
import torch
from safetensors.torch import save_file

from explorer.errors import ExplorerError
from explorer.export.layout import replacing


def names(folder):
    return sorted(path.name for path in folder.iterdir())


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


def test_an_earlier_one_is_replaced_and_other_files_are_taken_over(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for name in ("report.json", "notes.txt", "plan.json", "model.onnx"):
        (out / name).write_text("old")
    with replacing(out) as folder:
        (folder / "report.json").write_text("new")
        (folder / "plan.json").write_text("new")
    assert {path.name: path.read_text() for path in out.iterdir()} == {
        "report.json": "new",
        "plan.json": "new",
        "notes.txt": "old",
    }
    assert names(tmp_path) == ["out"]


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
