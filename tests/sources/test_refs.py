"""A path in a ref is read once: what a browser may name is what is opened, whatever stands in the ref."""

import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.errors import ExplorerError
from explorer.sources import load_model, load_task, places
from explorer.ui.state.access import check_ref

_OPENED: list[str] = []
_WATCHED: list[bool] = []


def _note(event: str, arguments: tuple) -> None:
    """An audit hook can't be taken away again, so there is one for all tests, which mostly sleeps."""
    if (
        _WATCHED
        and event in ("open", "os.listdir", "os.scandir")
        and isinstance(arguments[0], str | bytes | os.PathLike)
    ):
        _OPENED.append(os.path.realpath(os.fsdecode(arguments[0])))


sys.addaudithook(_note)


@contextmanager
def opened() -> Iterator[list[str]]:
    """Every file and folder that is opened meanwhile, links followed."""
    _OPENED.clear()
    _WATCHED.append(True)
    try:
        yield _OPENED
    finally:
        _WATCHED.clear()


def _fill(folder: Path) -> None:
    """Something for every kind of ref to find."""
    for name in ("cat", "dog"):
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(8):
            Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(folder / "pictures" / name / f"{number}.png")
    rows = "".join(f"it was {word},{word}\n" for word in ("good", "bad")) * 20
    (folder / "table.csv").write_text(f"text,label\n{rows}")
    torch.save({"weight": torch.zeros(2)}, folder / "weights.pth")
    (folder / "run").mkdir()
    (folder / "run" / "report.json").write_text("{}")
    torch.save({"weight": torch.zeros(2)}, folder / "run" / "weights.safetensors")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`open`, which browsers may read and where we are, beside `secret`, our home, to which links lead from it."""
    top = tmp_path_factory.mktemp("tree").resolve()
    for name in ("open", "open/a#b", "open/a?b", "open/ä ö", "open/pure", "secret"):
        (top / name).mkdir(exist_ok=True)
        _fill(top / name)
    links = {
        "open/link": "../secret",
        "open/run/weights.pth": "../../secret/weights.pth",
        "open/pictures/link": "../../secret/pictures/cat",
        "open/linked.csv": "../secret/table.csv",
        "open/a#b/within": "../pure/pictures",
        "open/circle": "circle",
        "open/#": "../secret",
        "open/far": "a#b/within/../../link",
    }
    for name, target in links.items():
        (top / name).symlink_to(target)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(top / "secret"))
        patch.chdir(top / "open")
        yield top


PIECES = (
    *("open", "secret", "a#b", "a?b", "ä ö", "pure", "link", "circle", "within", "far", "pictures", "cat", "run"),
    *(
        "table.csv",
        "linked.csv",
        "weights.pth",
        "#",
        "..",
        "..",
        ".",
        "",
        " ",
        "~",
        "~nosuchuser",
        "$HOME",
        "*",
        "%2e%2e",
    ),
    *("\0", "\n", "\u202e", "\ud800", "x" * 300, "..\u200b", "/", "file:", "run:", "#demo:resnet20-digits"),
)
ENDS = (
    *[""] * 12,
    "#demo:resnet20-digits",
    "?weights=..#demo:resnet20-digits",
    "?weights=ema/../../../secret/weights.pth#demo:resnet20-digits",
    "#hf:{secret}",
    "#run:{secret}/run",
    "#",
    "?text=a",
    "?labels=2",
    "/",
    " ",
    "/..",
)


def refs(tree: Path, count: int) -> Iterator[str]:
    generator = random.Random(0)
    for _ in range(count):
        scheme = generator.choice((*["folder", "file", "run", "hf"] * 3, "demo", "torchvision", "folder:file"))
        begin = generator.choice(
            (f"{tree}/open", f"{tree}/open", f"{tree}/open", str(tree), "~", "..", f"//{tree}", ".")
        )
        path = begin
        for _ in range(generator.randint(0, 5)):
            inside = sorted(os.listdir(path)) if path.isprintable() and os.path.isdir(path) else []
            path += f"/{generator.choice(inside if inside and generator.random() < 0.6 else PIECES)}"
        yield f"{scheme}:{path}{generator.choice(ENDS).format(secret=tree / 'secret')}"


def _load(ref: str) -> None:
    """Loads whatever the ref names, but nothing that is far away, takes packages of seconds, or is the whole disk."""
    if ref.startswith("hf:") or any(
        place.path and Path.cwd().parent.is_relative_to(place.path) for place in places(ref)
    ):
        return
    for load in (load_model, load_task):
        load(ref) if ref.startswith("folder:") is (load is load_task) else None


def complaint(work: Callable[..., object], *arguments: object) -> str:
    """The one line that the work ends with; empty where it goes through."""
    try:
        work(*arguments)
    except ExplorerError as error:
        line = str(error)
    else:
        return ""
    assert "\n" not in line
    return line


def test_no_ref_that_a_browser_may_name_opens_anything_elsewhere(tree):
    accepted, roots = set(), [tree / "open"]
    for ref in refs(tree, 6000):
        if complaint(check_ref, ref, roots):
            continue
        assert all(place.path is None or place.path.is_relative_to(tree / "open") for place in places(ref))
        accepted.add(ref)
    assert len(accepted) > 200
    seen = 0
    for ref in sorted(accepted):
        with opened() as files:
            complaint(_load, ref)
        secret = [file for file in files if file.startswith(f"{tree}/secret")]
        assert not secret, f"{ref!r} opened {secret}"
        seen += any(file.startswith(f"{tree}/open") for file in files)
    assert seen > 20  # the watch works


def test_every_ref_is_answered_in_one_line(tree):
    for ref in refs(tree, 600):
        complaint(_load, ref)


@pytest.mark.parametrize("name", ["link", "far", "#", "pictures", "pictures/link", "linked.csv", ""])
def test_links_out_of_a_folder_are_not_followed_for_a_browser(tree, name):
    ref = f"folder:{tree}/open/{name}"
    assert check_ref(ref, None) == ref  # on one's own machine they are
    with pytest.raises(ExplorerError, match="EXPLORER_ROOTS"):
        check_ref(ref, [tree / "open"])


def test_links_within_the_open_folders_are_followed(tree):
    for ref in (f"folder:{tree}/open/a#b/within", f"folder:{tree}/open/a#b", f"folder:{tree}/open/linked.csv"):
        assert check_ref(ref, [tree / "open", tree / "secret"]) == ref
    assert load_task(f"folder:{tree}/open/a#b/within").classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("folder:~nosuchuser/x", "home directory"),
        ("file:~nosuchuser/x.pth#demo:vgg-digits", "home directory"),
        ("run:a\0b", "can't be shown"),
        (f"folder:{'x' * 300}", "too long"),
        (f"folder:{'x/' * 3000}", "too long"),
        ("folder:", "names no path"),
        ("run: ", "names no path"),
        ("file:#demo:vgg-digits", "names no path"),
        ("digits\n", "can't be shown"),
    ],
)
def test_what_can_be_no_path_is_said(ref, words):
    load = load_task if ref.startswith(("folder", "digits")) else load_model
    for work in (load, lambda ref: check_ref(ref, [])):
        with pytest.raises(ExplorerError, match=words):
            work(ref)


@pytest.mark.parametrize(
    "name", ["csv", "text", "json", "parquet", "imagefolder", "arrow", "pandas", "mnist", "csv/", "/"]
)
def test_data_of_the_hub_has_an_owner(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.csv").write_text("text,label\nhello,1\n")
    with opened() as files, pytest.raises(ExplorerError, match=r"hf:OWNER/NAME|there is no|can't be read"):
        load_task(f"hf:{name}")
    assert not [file for file in files if file.endswith("secret.csv")]


def test_a_file_of_the_working_directory_is_no_id_of_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.json").write_text('{"model_type": "bert"}')
    with opened() as files, pytest.raises(ExplorerError, match="there is no folder"):
        load_model("hf:secret.json")
    assert not [file for file in files if file.endswith("secret.json")]
    with pytest.raises(ExplorerError, match="EXPLORER_ROOTS"):
        check_ref("hf:secret.json", [])


def test_both_parts_of_a_ref_are_checked(tree):
    for base in (f"hf:{tree}/secret", f"run:{tree}/secret/run", f"folder:{tree}/secret"):
        with pytest.raises(ExplorerError, match="EXPLORER_ROOTS"):
            check_ref(f"file:{tree}/open/pure/weights.pth#{base}", [tree / "open"])


TABLE = "text,label\n" + "it was good,yes\nit was bad,no\n" * 20


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("README.md", "---\nconfigs:\n- config_name: default\n  data_files: ../secret.csv\n---\n"),
        ("README.md", "---\nconfigs:\n- config_name: default\n  data_files: {secret}\n---\n"),
        ("README.md", "---\nconfigs:\n- config_name: default\n  data_dir: ..\n---\n"),
        (".huggingface.yaml", "configs:\n- config_name: default\n  data_files: '*/../../secret.csv'\n"),
    ],
)
def test_a_data_set_names_no_files_elsewhere(tmp_path, monkeypatch, file, content):
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "secret.csv").write_text(TABLE)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.csv").write_text(TABLE)
    (tmp_path / "set" / file).write_text(content.format(secret=tmp_path / "secret.csv"))
    with opened() as files, pytest.raises(ExplorerError):
        load_task(f"hf:{tmp_path / 'set'}")
    assert not [name for name in files if name == str(tmp_path / "secret.csv")]


def test_rows_of_a_data_set_name_no_pictures_elsewhere(tmp_path):
    pytest.importorskip("datasets")
    Image.new("RGB", (4, 4)).save(tmp_path / "secret.png")
    (tmp_path / "set").mkdir()
    lines = [json.dumps({"image": str(tmp_path / "secret.png"), "label": number % 2}) for number in range(40)]
    (tmp_path / "set" / "train.jsonl").write_text("\n".join(lines))
    features = "dataset_info:\n  features:\n  - name: image\n    dtype: image\n  - name: label\n    dtype: int64\n"
    (tmp_path / "set" / "README.md").write_text(f"---\n{features}---\n")
    with pytest.raises(ExplorerError, match="outside the data set"):
        load_task(f"hf:{tmp_path / 'set'}").train[0]
