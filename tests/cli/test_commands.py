"""The commands' answers: shapes of the JSON objects, clean streams, text for people."""

import json
import re

import pytest
from PIL import Image

from explorer import __version__
from explorer.cli import main
from explorer.methods import METHODS, removes
from explorer.recovery import RECOVERIES

MODEL = ["--model", "demo:resnet20-digits"]
DATA = ["--data", "digits", "--device", "cpu"]


def answer(arguments, capsys):
    """The JSON object that a command prints, which is all that it prints."""
    assert main([*arguments, "--json", "--quiet"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.count("\n") == 1
    return json.loads(printed.out)


def text(arguments, capsys):
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_without_arguments_help(capsys):
    assert "inspect" in text([], capsys)
    assert __version__ in text(["--version"], capsys)
    assert "--keep macs=0.5" in text(["prune", "--help"], capsys)


@pytest.mark.parametrize(
    ("option", "known"), [("--method", [m for m in METHODS if removes(m)]), ("--recover", RECOVERIES)]
)
def test_help_names_every_choice(option, known, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")
    (said,) = re.findall(rf"^ *{option} NAME +(.*) \(default", text(["prune", "--help"], capsys), re.MULTILINE)
    assert set(re.split(", | or ", said)) == set(known)


def test_models_are_searched(capsys):
    first, *_ = answer(["models", "--search", "resnet50"], capsys)["found"]
    assert (first["ref"], first["kind"], first["problem"]) == ("torchvision:resnet50", "model", "")
    assert "there is no '/nowhere'" in text(["models", "--search", "/nowhere"], capsys)


def test_models(capsys):
    refs = {entry["ref"]: entry for entry in answer(["models"], capsys)["models"]}
    assert refs["demo:resnet20-digits"]["trained"]
    assert not refs["torchvision:resnet50"]["trained"]
    assert "demo:vit-digits" in text(["models"], capsys)


def test_criteria(capsys):
    entries = answer(["criteria"], capsys)["criteria"]
    assert {"random", "l1", "l2", "bn-scale", "taylor", "flow"} <= {entry["name"] for entry in entries}
    assert all({"name", "title", "needs", "cost", "paper", "forwards", "backwards"} <= set(entry) for entry in entries)
    assert "taylor" in text(["criteria"], capsys)


def test_inspect(capsys):
    found = answer(["inspect", *MODEL], capsys)
    groups = {group["name"]: group for group in found["groups"]}
    assert {"model", "params", "macs", "input", "groups", "blocked"} <= set(found)
    assert found["note"].startswith("bundled: trained for")
    conv = groups["layer1.0.conv1"]
    assert (conv["kind"], conv["size"], conv["unit"], conv["exact"]) == ("conv", 16, 1, True)
    # 3×3 kernels of conv1 (16 inputs) and conv2 (16 outputs), and batch norm's weight and bias
    assert conv["params"] == 16 * (16 * 9 + 16 * 9 + 2)
    assert conv["macs"] == 2 * 16 * 16 * 9 * 32 * 32
    for words in ("layer1.0.conv1", found["note"]):
        assert words in text(["inspect", *MODEL], capsys)


def test_score(capsys):
    arguments = ["score", *MODEL, *DATA, "--criterion", "flow", "--samples", "20"]
    found = answer(arguments, capsys)
    assert {"criterion", "seconds", "groups"} <= set(found)
    assert len(found["groups"]["layer3.0.conv1"]) == 64
    assert "layer3.0.conv1" in text(arguments, capsys)


def test_evaluate(capsys):
    found = answer(["evaluate", *MODEL, *DATA], capsys)
    assert found["top1_low"] < found["top1"] < found["top1_high"]
    assert found["samples"] > 200
    assert found["latency_ms"] > 0
    assert "top-1" in text(["evaluate", *MODEL, *DATA], capsys)


def test_evaluate_without_labels_shows_no_accuracy(capsys):
    arguments = ["evaluate", *MODEL, "--data", "random", "--device", "cpu"]
    assert answer(arguments, capsys)["top1"] is None
    assert "top-1" in text(arguments, capsys)


def test_search_writes_plans_that_others_open(capsys, tmp_path):
    out, figure = tmp_path / "found", tmp_path / "frontier.svg"
    asked = ["search", *MODEL, *DATA, "--targets", "0.5", "--ways", "uniform", "--criterion", "l2", "--criteria", "l2"]
    found = answer([*asked, "--out", str(out), "--figure", str(figure)], capsys)
    (tried,) = found["tried"]
    assert (tried["way"], tried["recovery"], found["best"]) == ("uniform", "reconstruct", [0])
    assert tried["macs"] == pytest.approx(found["whole"]["macs"] / 2, rel=0.02)
    assert tried["macs"] <= found["whole"]["macs"] / 2
    assert found["files"] == [str(out / "search.json"), str(out / "plan-macs-0.5.json"), str(figure)]
    assert figure.read_text().startswith("<svg")
    opened = answer(["ladder", *MODEL, *DATA, "--plan", str(out / "plan-macs-0.5.json"), "--up-to", "none"], capsys)
    assert opened["kept"]["macs"] == pytest.approx(tried["kept"])


def test_sensitivity(capsys):
    arguments = ["sensitivity", *MODEL, *DATA, "--criterion", "l2", "--ratios", "0.5"]
    found = answer(arguments, capsys)
    assert all([point["ratio"] for point in curve] == [0.5] for curve in found["groups"].values())
    assert 0 <= found["groups"]["layer1.0.conv1"][0]["top1"] <= 1


def test_progress_goes_to_standard_error(capsys):
    assert main(["score", *MODEL, *DATA, "--criterion", "taylor", "--json"]) == 0
    printed = capsys.readouterr()
    json.loads(printed.out)
    assert "scored" in printed.err
    assert len(printed.err.splitlines()) <= 15


def test_data(capsys, tmp_path):
    found = answer(["data", "--data", "digits"], capsys)
    assert {"kind", "classes", "samples", "counts", "majority", "note", "remarks"} <= set(found)
    assert sum(found["counts"]["test"].values()) == found["samples"]["test"] == 269
    said = text(["data", "--data", "digits"], capsys)
    assert "1,797 samples (1,078 train, 180 calibration, 270 validation, 269 test)" in said
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(12):
            Image.new("RGB", (4, 4)).save(tmp_path / name / f"{number}.png")
    for number in range(8):
        (tmp_path / "cat" / f"bad{number}.png").write_bytes(b"x")
    assert main(["data", "--data", f"folder:{tmp_path}"]) == 2
    said = capsys.readouterr().out
    assert all(f"cat/bad{number}.png (" in said for number in range(8))
    assert "go on without them: folder:" in said
    assert answer(["data", "--data", f"folder:{tmp_path}?skip=bad"], capsys)["counts"]["train"] == {"cat": 7, "dog": 7}
