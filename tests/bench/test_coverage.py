"""The coverage table: a row says what really became of a model, and what falls short is never green."""

import json

import pytest

from explorer.bench import coverage
from explorer.bench.coverage import cells, is_green, isolated, markdown, row
from explorer.bench.families import make, names
from explorer.cli import main
from explorer.errors import ExplorerError
from explorer.sources.networks.architectures import every_torchvision_name

GREEN = {
    "model": "toy", "params": 100, "groups": 3, "kinds": {"conv": 3}, "blocked": {}, "forward": 0.1, "analysis": 0.2,
    "trial": 0.3, "kept": 0.5, "mask": 1e-6, "cost": True, "reload": 0.0, "onnx": 1e-6, "trains": True,
}  # fmt: skip


def test_it_has_every_network_of_torchvision_that_can_be_loaded():
    assert {name for name in names() if name.startswith("torchvision:")} == {
        f"torchvision:{name}" for name in every_torchvision_name()
    }


@pytest.mark.parametrize("name", ["torchvision:squeezenet1_1", "hf:gpt2"])
def test_a_row_is_what_the_cut_model_does(name):
    found = row(name)
    assert is_green(found), found
    module, _ = make(name)
    assert found["params"] == sum(p.numel() for p in module.parameters())
    assert 0.4 < found["kept"] < 0.95
    assert sum(found["kinds"].values()) == found["groups"] > 5


@pytest.mark.parametrize(
    "changes",
    [
        {"blocked": {"the operator sort in head can't be followed": 6}},
        {"mask": 1e-2},
        {"cost": False},
        {"reload": 1e-3},
        {"trains": False},
        {"onnx": "the exported network differs"},
    ],
)
def test_each_shortfall_is_seen(changes):
    assert is_green(GREEN)
    short = GREEN | changes
    assert not is_green(short)
    assert cells(short) != cells(GREEN)
    assert "1 of 2 models" in markdown([GREEN, short])


def test_a_process_that_dies_or_hangs_is_a_row_that_says_so():
    assert "unknown model of the table" in isolated("torchvision:nothing", onnx=False)["error"]
    late = isolated("torchvision:alexnet", onnx=False, limit=0.05)
    assert late == {"model": "torchvision:alexnet", "error": "took longer than 0.05 s"}
    assert not is_green(late)
    assert "took longer" in markdown([late])


def test_it_goes_on_where_it_stopped(tmp_path, monkeypatch):
    kept = tmp_path / "rows.jsonl"
    kept.write_text(json.dumps(GREEN | {"model": "torchvision:vgg11"}) + "\n")
    ran = []
    monkeypatch.setattr(coverage, "isolated", lambda name, onnx: ran.append(name) or GREEN | {"model": name})
    rows = coverage.coverage(["torchvision:vgg11", "torchvision:vgg13"], kept=kept)
    assert [found["model"] for found in rows] == ["torchvision:vgg11", "torchvision:vgg13"]
    assert ran == ["torchvision:vgg13"]
    assert len(kept.read_text().splitlines()) == 2


def test_a_pattern_without_a_model():
    with pytest.raises(ExplorerError, match="no model is called torchvision:resnot"):
        coverage.coverage(["torchvision:resnot*"])


@pytest.mark.parametrize(("mask", "code"), [(1e-6, 0), (1e-2, 1)])
def test_the_command_writes_the_table_and_fails_where_a_cell_is_red(mask, code, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(coverage, "isolated", lambda name, onnx: GREEN | {"model": name, "mask": mask})
    out = tmp_path / "coverage.md"
    assert main(["bench", "coverage", "--only", "torchvision:vgg11", "--out", str(out), "--json"]) == code
    assert json.loads(capsys.readouterr().out)["rows"][0]["mask"] == mask
    assert "| torchvision:vgg11 | 3 |" in out.read_text()
