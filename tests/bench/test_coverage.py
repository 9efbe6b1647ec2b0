"""The coverage table: a row says what really became of a model, and what falls short is never green."""

import json
import sys
from types import SimpleNamespace

import pytest
from torch import nn

from explorer.bench.coverage import cells, is_green, is_wrong, isolated, markdown, row, running, summary
from explorer.bench.coverage import coverage as table_of
from explorer.bench.coverage.row import OUTPUTS, share
from explorer.bench.coverage.table import causes
from explorer.bench.families import FAMILIES, NotInstalledError, make, names
from explorer.cli import main
from explorer.errors import ExplorerError
from explorer.sources.networks.architectures import every_torchvision_name
from explorer.structure.running import as_tuple

GREEN = {
    "model": "toy", "params": 100, "groups": 3, "kinds": {"conv": 3}, "share": 1.0, "blocked": {}, "forwards": 6,
    "forward": 0.1, "analysis": 0.2, "trial": 0.3, "kept": 0.5, "mask": 1e-6, "cost": True, "reload": 0.0,
    "onnx": 1e-6, "trains": True,
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
    assert found["share"] == 1.0
    assert 3 <= found["forwards"] <= 10


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    "timm:vit_tiny_patch16_224 timm:mobilenetv3_small_050 timm:resnet10t hf:bert hf:llama hf:t5-write hf:unet-2d "
    "hf:wav2vec2 other:yolov8n other:smp-unet-resnet18 other:unet-3d other:lstm other:mixture-of-experts".split(),
)
def test_no_network_is_cut_wrongly(name):
    found = isolated(name, onnx=False)
    assert not is_wrong(found), found


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"blocked": {"the operator sort in head can't be followed": 6}}, False),
        ({"onnx": "the exported network differs"}, False),
        ({"mask": 1e-2}, True),
        ({"mask": float("nan")}, True),
        ({"cost": False}, True),
        ({"reload": 1e-3}, True),
        ({"trains": False}, True),
    ],
)
def test_each_shortfall_is_seen(changes, wrong):
    assert is_green(GREEN)
    assert not is_wrong(GREEN)
    short = GREEN | changes
    assert not is_green(short)
    assert is_wrong(short) == wrong
    assert cells(short) != cells(GREEN)
    assert "1 of 2 models" in markdown([GREEN, short])


def test_a_process_that_dies_or_hangs_is_a_row_that_says_so():
    assert "unknown model of the table" in isolated("torchvision:nothing", onnx=False)["error"]
    late = isolated("torchvision:alexnet", onnx=False, limit=0.05)
    assert late == {"model": "torchvision:alexnet", "error": "took longer than 0.05 s"}
    assert not is_green(late)
    assert "took longer" in markdown([late])


def test_a_package_that_is_missing_is_told_and_nothing_is_made_up(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)  # as if it were not there
    with pytest.raises(NotInstalledError, match="timm is not installed"):
        make("timm:resnet10t")
    missing = {"model": "timm:resnet10t", "error": "timm is not installed", "installed": False}
    assert not is_wrong(missing)
    assert not is_green(missing)
    assert "1 are not installed" in summary([missing, GREEN])
    assert "in 1 of 1 (100%)" in summary([missing, GREEN])


def test_there_are_networks_of_every_kind_and_no_name_is_used_twice():
    counts = {family: len(names(family)) for family in FAMILIES}
    assert counts["timm"] >= 110
    assert counts["hf"] >= 90
    assert counts["other"] >= 40
    assert len({*names()}) == sum(counts.values()) >= 300


@pytest.mark.parametrize(
    "name", ["hf:llama", "hf:t5-write", "hf:unet-2d-condition", "other:siamese", "other:graph-index-add"]
)
def test_what_is_made_is_always_the_same(name):
    (first, example), (second, again) = make(name), make(name)
    assert all(a.equal(b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    for a, b in zip(as_tuple(example), as_tuple(again), strict=True):
        assert a.equal(b)
        assert len(a) == 2


def test_the_share_counts_tensors_with_an_axis_in_a_group_and_leaves_tables_and_outputs_out():
    module = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 6), nn.Linear(6, 5), nn.Linear(5, 3))
    group = SimpleNamespace(members=[SimpleNamespace(tensor=name) for name in ("1.weight", "1.bias", "2.weight")])
    structure = SimpleNamespace(groups={"1": group}, blocked=[SimpleNamespace(name="3", reason=OUTPUTS)])
    assert share(module, structure) == (30 + 30) / (30 + 30 + 5)


def test_causes_are_counted_by_network_without_names_and_numbers():
    first = GREEN | {"blocked": {"relu6 over channels in blocks.3.act": 6, "relu6 over channels in blocks.4.act": 6}}
    second = GREEN | {"blocked": {"relu6 over channels in stem.act": 9}}
    assert causes([first, second]) == [["2", "reluN over channels in …"]]


def test_it_goes_on_where_it_stopped(tmp_path, monkeypatch):
    kept = tmp_path / "rows.jsonl"
    kept.write_text(json.dumps(GREEN | {"model": "torchvision:vgg11"}) + "\n")
    ran = []
    monkeypatch.setattr(running, "isolated", lambda name, **_: ran.append(name) or GREEN | {"model": name})
    rows = table_of(["torchvision:vgg11", "torchvision:vgg13"], kept=kept)
    assert [found["model"] for found in rows] == ["torchvision:vgg11", "torchvision:vgg13"]
    assert ran == ["torchvision:vgg13"]
    assert len(kept.read_text().splitlines()) == 2


def test_a_pattern_without_a_model():
    with pytest.raises(ExplorerError, match="no model is called torchvision:resnot"):
        table_of(["torchvision:resnot*"])


@pytest.mark.parametrize(("mask", "code"), [(1e-6, 0), (1e-2, 1)])
def test_the_command_writes_the_table_and_fails_where_a_cell_is_red(mask, code, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(running, "isolated", lambda name, **_: GREEN | {"model": name, "mask": mask})
    out = tmp_path / "coverage.md"
    assert main(["bench", "coverage", "--only", "torchvision:vgg11", "--out", str(out), "--json"]) == code
    assert json.loads(capsys.readouterr().out)["rows"][0]["mask"] == mask
    assert "| torchvision:vgg11 | 3 |" in out.read_text()
