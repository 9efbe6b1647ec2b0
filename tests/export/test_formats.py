"""Formats are what the registry says: declared, written, checked, listed, and offered, each from its own file."""

import json
from pathlib import Path

import pytest

from explorer.errors import ExplorerError
from explorer.export import FORMATS, write_alone, write_bundle
from explorer.export.layout import PRUNED_AT, REPORT, SPARSE, STEPS
from explorer.export.registry import export_format
from explorer.sources.models.saved_runs import TOKENIZER
from pages.take import bundles


@pytest.fixture
def counted():
    """A format of its own, with a check, which stands alone."""

    def check(draft, path, report):
        if int(path.read_text()) != sum(tensor.numel() for tensor in draft.exported.module.state_dict().values()):
            raise ExplorerError("counted wrongly")
        return {"name": "counted again", "batches": [1], "max_abs_diff": 0.0, "tolerance": 0.0}

    def count(draft, path, report):
        numbers = sum(tensor.numel() for tensor in draft.exported.module.state_dict().values())
        path.write_text(str(numbers))
        draft.document["count"] = {"numbers": numbers}

    about = {"title": "Count", "explanation": "how many numbers there are", "file": "count.txt", "check": check}
    yield export_format("count", **about, offered=3, rank=55, alone=True)(count)
    FORMATS.remove("count")


def test_the_names_that_others_ask_for_are_those_of_the_formats():
    files = {name: entry.file for name, entry in FORMATS.items()}
    assert (files["report"], files["sparse"], files["pruned-at"]) == (REPORT, SPARSE, PRUNED_AT)
    assert (files["steps"], files["tokenizer"]) == (f"{STEPS}/", f"{TOKENIZER}/")
    assert len(set(files.values())) == len(files)


def test_what_is_declared_is_what_is_imported():
    assert list(FORMATS.declared()) == list(FORMATS)


def test_a_format_more_is_written_checked_told_and_offered(counted, subject, tmp_path, monkeypatch):
    quick = {name: FORMATS[name] for name in FORMATS if name not in ("onnx", "script")}  # these have tests of their own
    monkeypatch.setattr("explorer.export.bundle.FORMATS", quick)
    report = write_bundle(tmp_path / "bundle", subject.exported, subject.result)
    numbers = int((tmp_path / "bundle" / "count.txt").read_text())
    assert report["count"] == {"numbers": numbers}
    assert [check["name"] for check in report["checks"]][-1] == "counted again"
    assert json.loads((tmp_path / "bundle" / REPORT).read_text())["checks"] == report["checks"]
    card = (tmp_path / "bundle" / "README.md").read_text()
    assert "- `count.txt`: how many numbers there are" in card
    assert "counted again" in card
    assert [entry.file for entry in bundles.offered()].index("count.txt") == 3


def test_the_pages_offer_the_files_of_a_whole_bundle_first_what_runs(bundle):
    offered = [entry.file for entry in bundles.offered()]
    assert offered == ["model.onnx", "weights.safetensors", "load.py", "plan.json", "report.json", "README.md"]
    files = bundles.files(bundle.folder)
    assert set(offered) == set(files)
    examples = bundles.examples(bundle.report, files)
    assert list(examples) == ["ONNX", "PyTorch"]
    for code in examples.values():
        compile(code, "example", "exec")


def test_a_file_alone_is_checked_and_placed(counted, subject, tmp_path, monkeypatch):
    assert write_alone("count", subject.exported, tmp_path / "a.txt")["numbers"] == int(
        (tmp_path / "a.txt").read_text()
    )
    before = (tmp_path / "a.txt").read_text()
    monkeypatch.setattr(Path, "read_text", lambda path: "0")
    with pytest.raises(ExplorerError, match="counted wrongly"):
        write_alone("count", subject.exported, tmp_path / "a.txt")
    monkeypatch.undo()
    assert (tmp_path / "a.txt").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
