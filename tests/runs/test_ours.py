"""What is not ours stays: wherever a run or a file would be written, and whatever stands there."""

import ast
import json
import os
from pathlib import Path

import pytest

from explorer import owned
from explorer.bench.kept import Kept
from explorer.bench.rows import Played
from explorer.cli import main
from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.methods.tools.stages import Record
from explorer.runs.checkpoint import Checkpoint
from explorer.runs.claim import claim
from explorer.sources import demo_training
from tests.export.test_place import earlier, everything

ROOT = Path(__file__).resolve().parents[2]
SPEC = Spec("demo:vgg-digits", "digits", keep={"macs": 0.5})
STEP = Record({"a": 1})


def refused(arguments, folder, capsys):
    """The one line by which a command refuses; nothing in the folder has changed."""
    before = everything(folder)
    assert main(arguments) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert everything(folder) == before
    return said[0]


def a_file(path):
    path.write_text("…")


def a_link(path):
    target = path.with_name("theirs")
    target.mkdir()
    (target / "thesis.tex").write_text("…")
    path.symlink_to(target)


def a_link_to_ours(path):
    Checkpoint(path.with_name("other.partial"), SPEC, resume=False)("one", lambda: STEP)
    path.symlink_to(path.with_name("other.partial"))


def a_dangling_link(path):
    path.symlink_to(path.with_name("nowhere"))


def a_folder(path):
    path.mkdir()
    (path / "thesis.tex").write_text("…")


def a_folder_called_alike(path):
    path.mkdir()
    (path / "spec.json").write_text('{"openapi": "3.1"}')
    (path / "model.safetensors").write_text("…")


def a_nested_one(path):
    path.mkdir()
    (path / "spec.json").write_text(json.dumps(SPEC.to_json()))
    (path / "step-01.safetensors").mkdir()


def ours_with_something_of_theirs(path):
    Checkpoint(path, SPEC, resume=False)("one", lambda: STEP)
    (path / "thesis.tex").write_text("…")


def ours_with_a_link(path):
    Checkpoint(path, SPEC, resume=False)("one", lambda: STEP)
    path.with_name("thesis.tex").write_text("…")
    (path / "lock").unlink(missing_ok=True)
    (path / "lock").symlink_to(path.with_name("thesis.tex"))


@pytest.mark.parametrize("resume", [[], ["--resume"]], ids=["anew", "resumed"])
@pytest.mark.parametrize(
    "put",
    [
        *(a_file, a_link, a_link_to_ours, a_dangling_link, a_folder, a_folder_called_alike, a_nested_one),
        *(ours_with_something_of_theirs, ours_with_a_link),
    ],
)
def test_steps_go_into_no_folder_that_is_not_ours(tmp_path, capsys, put, resume):
    put(tmp_path / "out.partial")
    command = ["prune", "--model", SPEC.model, "--data", SPEC.data, "--keep", "macs=0.5", "--no-track"]
    said = refused([*command, "--out", str(tmp_path / "out"), *resume], tmp_path, capsys)
    assert str(tmp_path / "out.partial") in said


@pytest.mark.parametrize("out", ["file", "link", "other", "a/..", ".", "/", "file/below", "a/steps/x", "a.partial/x"])
def test_a_bundle_takes_no_place_that_is_not_free(tmp_path, capsys, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    earlier(tmp_path / "a")
    (tmp_path / "a" / "steps").mkdir()
    Checkpoint(tmp_path / "a.partial", SPEC, resume=False)("one", lambda: STEP)
    a_file(tmp_path / "file")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    earlier(tmp_path / "other", {"program": "another"})
    command = ["prune", "--model", SPEC.model, "--data", SPEC.data, "--keep", "macs=0.5", "--no-track"]
    refused([*command, "--out", out], tmp_path, capsys)


@pytest.mark.parametrize("model", ["run:{}", "run:{}/steps/01", "run:{}/../out", "file:{}/weights.safetensors#demo:x"])
def test_a_run_does_not_replace_what_it_begins_with(tmp_path, model):
    out = earlier(tmp_path / "out")
    with pytest.raises(ExplorerError, match="which the run would replace"):
        claim(out, Spec(model.format(out), "digits"))


def test_steps_of_a_version_without_a_mark_are_taken_over_or_emptied(tmp_path):
    for resume in (True, False):
        folder = tmp_path / f"{resume}.partial"
        with Checkpoint(folder, SPEC, resume=False) as first:
            first("one", lambda: STEP)
        (folder / owned.MARK).unlink()
        with Checkpoint(folder, SPEC, resume=resume) as again:
            assert again.finished() == (["one"] if resume else [])
            again("one", lambda: STEP)
            assert owned.marked(folder, owned.STEPS)
            again.remove()
        assert not folder.exists()


def test_one_that_was_killed_before_its_first_step_is_taken_over(tmp_path):
    folder = tmp_path / "out.partial"
    folder.mkdir()
    (folder / "lock").touch()
    with Checkpoint(folder, SPEC, resume=True):
        pass
    assert not folder.exists()


def test_what_a_kill_left_goes_and_what_is_called_alike_stays(tmp_path):
    left, moved, theirs = (tmp_path / f".out.0123abc{name}" for name in ("d.partial", "e.earlier", "f.partial"))
    owned.make_folder(left, owned.BUNDLE)
    owned.make_folder(moved, owned.BUNDLE)
    a_folder(theirs)
    with Checkpoint(tmp_path / "out.partial", SPEC, resume=False) as checkpoint:
        checkpoint("one", lambda: STEP)
    assert {path.name for path in tmp_path.iterdir()} == {"out", "out.partial", theirs.name}
    assert (theirs / "thesis.tex").read_text() == "…"


def test_what_comes_into_our_folder_meanwhile_stays(tmp_path):
    with Checkpoint(tmp_path / "out.partial", SPEC, resume=False) as checkpoint:
        checkpoint("one", lambda: STEP)
        (tmp_path / "out.partial" / "thesis.tex").write_text("…")
        checkpoint.remove()
    assert set(os.listdir(tmp_path / "out.partial")) == {"thesis.tex", owned.MARK}


def test_a_file_is_written_over_no_other_before_or_after_the_work(tmp_path, capsys):
    run = earlier(tmp_path / "run")
    (tmp_path / "theirs.onnx").write_text("…")
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "link.onnx").symlink_to(tmp_path / "theirs.onnx")
    for name in ("theirs.onnx", "folder.onnx", "link.onnx", "nowhere/x.onnx", "theirs.onnx/x.onnx"):
        said = refused(["export", "--model", f"run:{run}", "--out", str(tmp_path / name)], tmp_path, capsys)
        assert "--out" in said
    (tmp_path / "notes.md").write_text("# Mine\n")
    for table in ("coverage", "methods", "spvr", "dg2pf"):
        refused(["bench", table, "--out", str(tmp_path / "notes.md")], tmp_path, capsys)


@pytest.mark.parametrize("text", ["notes", '{"a": 1}', '{"run": 1}\nnotes', '{"name": "x",', "{\n"])
def test_a_file_of_other_rows_keeps_its_last_line(tmp_path, text):
    (tmp_path / "file").write_text(text)
    with pytest.raises(ExplorerError, match="no rows"):
        Kept(tmp_path / "file", "run", Played)
    assert (tmp_path / "file").read_text() == text


def test_a_checkpoint_replaces_no_other(tmp_path):
    ref = "demo:vgg-digits"
    for name, text in (("vgg-digits.safetensors", "…"), ("demo.json", '{"theirs": 1}')):
        (tmp_path / name).write_text(text)
        with pytest.raises(ExplorerError, match="not of this program"):
            demo_training.train_demo(ref, out=tmp_path)
        assert (tmp_path / name).read_text() == text
        (tmp_path / name).unlink()


def test_a_link_or_a_folder_without_mark_is_never_removed(tmp_path):
    owned.make_folder(tmp_path / "ours", owned.BUNDLE)
    (tmp_path / "link").symlink_to(tmp_path / "ours")
    a_folder(tmp_path / "theirs")
    (tmp_path / "ours" / "inner").symlink_to(tmp_path / "theirs")
    for name in ("link", "theirs", "theirs/thesis.tex"):
        with pytest.raises(ExplorerError, match="stays as it is"):
            owned.remove_folder(tmp_path / name)
    owned.remove_folder(tmp_path / "ours")
    assert (tmp_path / "theirs" / "thesis.tex").read_text() == "…"
    assert not (tmp_path / "ours").exists()


ALLOWED = {
    "explorer/owned.py": {"rmtree", "unlink", "rmdir"},  # the one place where folders go
    "explorer/files.py": {"replace", "rename", "unlink"},  # a temporary file, and a folder that is moved, not deleted
    "explorer/mishaps.py": {"unlink"},  # the oldest of its own traces
    "explorer/cache.py": {"unlink"},  # an entry of the cache, called by a digest
    "explorer/ui/state/uploads.py": {"unlink", "rmdir", "rename"},  # uploads, under the names that were made for them
}


def test_nothing_else_deletes_or_replaces():
    """Calls by which files or folders vanish, anywhere but in the few places above."""
    found: dict[str, set[str]] = {}
    for path in [*ROOT.glob("explorer/**/*.py"), *ROOT.glob("pages/**/*.py"), ROOT / "app.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
                files = owner in ("os", "shutil") and name in ("remove", "removedirs", "replace", "move")
                if files or name in ("rmtree", "unlink", "rmdir", "rename", "renames"):
                    found.setdefault(path.relative_to(ROOT).as_posix(), set()).add(name)
    others = {file: names - ALLOWED.get(file, set()) for file, names in found.items()}
    assert not {file: names for file, names in others.items() if names}
