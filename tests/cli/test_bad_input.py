"""Bad input: exit code 2 and one line that says what, why and what to do; nothing left behind."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.cli import main

PRUNE = ["prune", "--model", "demo:resnet20-digits", "--data", "digits", "--device", "cpu", "--out", "OUT"]
KEEP = [*PRUNE, "--keep", "macs=0.5"]


def complaint(arguments, tmp_path, capsys):
    """The one line that a command ends with."""
    before = set(os.listdir(tmp_path))
    code = main([str(tmp_path / "out") if word == "OUT" else word for word in arguments])
    printed = capsys.readouterr()
    lines = [line for line in printed.err.splitlines() if not line.lstrip()[:1].isdigit()]  # without progress
    assert code == 2, printed
    assert printed.out == ""
    assert len(lines) == 1, printed.err
    assert lines[0].startswith("error: ")
    assert set(os.listdir(tmp_path)) == before
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*KEEP, "--model", "demo:resnet21-digits"], "resnet20-digits"),
        ([*KEEP, "--model", "nowhere:x"], "nowhere"),
        ([*KEEP, "--data", "digit"], "digits"),
        ([*KEEP, "--criterion", "tailor"], "taylor"),
        ([*PRUNE, "--method", "spvr", "--ratio", "layer1.0.conv1=0.5"], "finds the units itself"),
        ([*KEEP, "--recover", "distil"], "distill"),
        ([*PRUNE, "--method", "ifap", "--ratio", "layer1.0.conv1=0.5"], "finds the units itself"),
        ([*PRUNE, "--method", "ifap", "--data", "random", "--recover", "none"], "decides by accuracy"),
        ([*PRUNE, "--method", "ifap", "--rho", "0.5"], "rho is 0.5"),
        ([*PRUNE, "--method", "ifap", "--max-drop", "-1"], "max_drop is -1"),
        ([*PRUNE, "--method", "ifap", "--teacher", "bases"], "did you mean base"),
        ([*KEEP, "--device", "abacus"], "abacus"),
        ([*KEEP, "--samples", "0"], "samples"),
        ([*KEEP, "--epochs", "-3"], "epochs is -3"),
        ([*KEEP, "--seed", "x"], "'x' is no whole number"),
        ([*KEEP, "--input", "32"], "3x224x224"),
        (["demo", "letters", "--out", ""], "--out: it is empty"),
        (["bench", "dg2pf", "--epochs=--"], "argument --epochs: '--' is no value"),
        (["prune", "--keep=--", "--model", "x"], "argument --keep: '--' is no value"),
        (["demo", "letters", "--fonts", ""], "--fonts: it is empty"),
        (["demo", "train", "--out", ""], "--out: it is empty"),
        ([*KEEP, "--lock", "conv99"], "conv99"),
        ([*KEEP, "--option", "scale"], "KEY=VALUE"),
        ([*KEEP, "--option", "a=b"], "'a'"),
        ([*PRUNE], "nothing to remove"),
        ([*PRUNE, "--keep", "macs=0"], "macs=0"),
        ([*PRUNE, "--keep", "macs=1.5"], "macs=1.5"),
        ([*PRUNE, "--keep", "macs"], "macs=0.5"),
        ([*PRUNE, "--keep", "latency=5"], "latency"),
        ([*PRUNE, "--keep", "energy=0.5"], "energy"),
        ([*PRUNE, "--ratio", "layer1.0.conv1=1.0"], "ratio of 1"),
        ([*PRUNE, "--ratio", "layer1.0.conv1=1.5"], "ratio of 1.5"),
        ([*PRUNE, "--ratio", "layer1.0.conv1=abc"], "no ratio"),
        ([*PRUNE, "--ratio", "layer1.0.convx=0.5"], "layer1.0.conv1"),
        ([*PRUNE, "--ratio", "layer1.0.conv1=0.5", "--ratio", "layer1.0.conv1=0.3"], "twice"),
        ([*KEEP, "--ratio", "layer1.0.conv1=0.5"], "keep and ratios"),
        ([*PRUNE, "--ratio", "layer1.0.conv1=0.01"], "nothing would be removed"),
        ([*KEEP, "--data", "random", "--recover", "finetune"], "random"),
        (["prune", "--model", "m"], "--data, --out"),
        (["frobnicate"], "frobnicate"),
        (["inspect", "--model", "torchvision:resnet19"], "resnet1"),
        (["inspect", "--model", "torchvision:resnet18", "--input", "3x1x1", "--flag"], "--flag"),
        (["sensitivity", *PRUNE[1:5], "--criterion", "l2", "--ratios", "a,b"], "0.1,0.3,0.5"),
        (["sensitivity", *PRUNE[1:5], "--criterion", "l2", "--ratios", "1.0"], "ratio 1"),
        (["search", *PRUNE[1:5], "--targets", "1.5"], "above 0 and below 1"),
        (["search", *PRUNE[1:5], "--ways", "best"], "unknown way"),
        (["search", *PRUNE[1:5], "--figure", "frontier.txt"], "is no picture"),
        (["evaluate", "--model", "run:/nowhere", "--data", "digits"], "/nowhere"),
        (["export", "--model", "demo:resnet20-digits", "--out", "x.onnx"], "run:"),
        (["demo", "--model", "demo:resnet99-digits", "--out", "OUT"], "demo:resnet20-digits"),
        ([*PRUNE, "--method", "ifap", "--alpha", "1e6"], "alpha is 1e+06: it must be at most 100"),
        ([*KEEP, "--seed", str(2**64)], "seed is too large: it must be at most 4,294,967,295"),
        ([*KEEP, "--seed", "9" * 3000], "seed is too large"),
        ([*KEEP, "--batch", str(10**9)], "batch is 1e+09: it must be at most 1,000,000"),
        ([*KEEP, "--minimum", "nan"], "minimum is nan"),
        ([*KEEP, "--device", "cpu:99"], "not present"),
        ([*KEEP, "--model", "m" * 9000], "unknown"),
        (["agreement", *PRUNE[1:5], "--criteria", ","], "names nothing"),
        (["bench", "methods", "--models", ""], "names nothing"),
        (["app", "--port", "65536"], "1 to 65535"),
        ([*KEEP, "--plan", "a\0b"], "NUL"),
    ],
)
def test_one_line(arguments, words, tmp_path, capsys):
    assert words in complaint(arguments, tmp_path, capsys)


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)


def test_folders_without_a_task(tmp_path, capsys):
    data = tmp_path / "data"
    assert "not exist" in complaint([*KEEP, "--data", f"folder:{data}"], tmp_path, capsys)
    for index in range(8):
        picture(data / "only" / f"{index}.png")
    assert "class" in complaint([*KEEP, "--data", f"folder:{data}"], tmp_path, capsys)


def test_truncated_safetensors(tmp_path, capsys):
    from explorer.places import ASSETS

    path = tmp_path / "weights.safetensors"
    path.write_bytes((ASSETS / "resnet20-digits.safetensors").read_bytes()[:5000])
    ref = f"file:{path}#torchvision:resnet18?num_classes=10"
    assert "damaged" in complaint([*KEEP, "--model", ref], tmp_path, capsys)


class Bomb:
    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.mkdir, (self.witness,)


def test_a_pickle_with_code_is_never_executed(tmp_path, capsys):
    path, witness = tmp_path / "weights.pth", tmp_path / "executed"
    torch.save({"conv1.weight": Bomb(str(witness))}, path, pickle_module=pickle)
    ref = f"file:{path}#torchvision:resnet18?num_classes=10"
    assert "code" in complaint([*KEEP, "--model", ref], tmp_path, capsys)
    assert not witness.exists()


def test_input_that_does_not_fit(tmp_path, capsys):
    arguments = ["inspect", "--model", "torchvision:vgg11", "--input", "5x64x64"]
    assert "input" in complaint(arguments, tmp_path, capsys)


def test_places_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    assert "is a file" in complaint([*KEEP, "--out", str(tmp_path / "file")], tmp_path, capsys)
    assert "can't write" in complaint([*KEEP, "--out", str(tmp_path / "file" / "out")], tmp_path, capsys)
    assert "other files" in complaint([*KEEP, "--out", str(tmp_path / "full")], tmp_path, capsys)
    demo = ["demo", "--model", "demo:vgg-digits", "--out"]
    assert "other files" in complaint([*demo, str(tmp_path / "full")], tmp_path, capsys)
    assert "is a file" in complaint([*demo, str(tmp_path / "file")], tmp_path, capsys)
    assert os.listdir(tmp_path / "full") == ["thesis.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path, capsys):
    (tmp_path / "closed").mkdir(mode=0o500)
    assert "ermission" in complaint([*KEEP, "--out", str(tmp_path / "closed" / "out")], tmp_path, capsys)


@pytest.mark.slow
def test_no_space_leaves_nothing_half_written(tmp_path):
    """A limit on file size stands in for a full disk: the system refuses the write in the same place."""
    code = (
        "import resource, sys\n"
        "from explorer.cli import main\n"
        "import torch, onnx, onnxruntime, explorer.runs.execute\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    arguments = [*KEEP[:-4], "--out", str(tmp_path / "out"), "--keep", "macs=0.5", "--quiet"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert os.listdir(tmp_path) == ["out.partial"]  # finished steps, to go on from when there is room
    for path in (tmp_path / "out.partial").iterdir():
        assert path.suffix != ".partial"
