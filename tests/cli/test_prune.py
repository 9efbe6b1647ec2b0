"""The main job from the command line: prune, interrupt, resume, export."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from explorer.cli import main
from explorer.sources import load_model, load_task

BASE = ["prune", "--model", "demo:resnet20-digits", "--data", "digits", "--device", "cpu", "--keep", "macs=0.5"]
FILES = {"plan.json", "weights.safetensors", "model.onnx", "report.json", "README.md", "load.py"}


def prune(out, *arguments):
    """The command in a process of its own: what it prints and how it ends."""
    command = [sys.executable, "-m", "explorer", *BASE, *arguments, "--out", str(out), "--json"]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A folder and the object printed for it; pruned, and recovered by batch-norm statistics."""
    out = tmp_path_factory.mktemp("bundle") / "deep" / "out"
    done = prune(out, "--criterion", "flow", "--recover", "bn", "--samples", "64")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    return out, json.loads(done.stdout)


def test_the_answer_and_the_folder(bundle):
    out, result = bundle
    assert set(os.listdir(out)) >= FILES
    assert os.listdir(out.parent) == ["out"]
    assert json.loads((out / "report.json").read_text()) == result
    assert {"base", "pruned", "target", "achieved", "seconds", "groups", "onnx", "out", "as_cut", "checks"} <= set(
        result
    )
    assert {"top1", "top5", "params", "macs", "latency_ms", "size_bytes"} <= set(result["pruned"])
    assert result["achieved"]["macs"] == pytest.approx(0.5, rel=0.01)
    assert result["pruned"]["size_bytes"] == (out / "weights.safetensors").stat().st_size
    assert result["onnx"]["max_abs_diff"] < 1e-3
    assert result["onnx"]["top1"] == result["pruned"]["top1"]
    assert result["spec"]["seed"] == 0
    assert result["versions"]["torch"].startswith(torch.__version__.partition("+")[0])


@pytest.mark.slow
def test_the_run_is_a_model_again(bundle, tmp_path, capsys):
    out, result = bundle
    loaded = load_model(f"run:{out}")
    images = load_task("digits", input_shape=loaded.input_shape, classes=loaded.classes).test[:8][0]
    session = onnxruntime.InferenceSession(str(out / "model.onnx"))
    with torch.inference_mode():
        logits = loaded.module(images).numpy()
    np.testing.assert_allclose(session.run(None, {"input": images.numpy()})[0], logits, atol=1e-4)

    again = tmp_path / "again"
    arguments = ["prune", "--model", f"run:{out}", "--data", "digits", "--device", "cpu", "--keep", "params=0.8"]
    assert main([*arguments, "--out", str(again), "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["pruned"]["params"] < result["pruned"]["params"]


def test_export(bundle, tmp_path, capsys):
    out, _ = bundle
    path = tmp_path / "small.onnx"
    assert main(["export", "--model", f"run:{out}", "--out", str(path), "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["max_abs_diff"] < 1e-3
    assert os.listdir(tmp_path) == ["small.onnx"]
    missing = tmp_path / "no" / "small.onnx"
    assert main(["export", "--model", f"run:{out}", "--out", str(missing), "--quiet"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_resume_of_a_finished_run_only_reads_it(bundle, capsys):
    out, result = bundle
    arguments = [*BASE, "--criterion", "flow", "--recover", "bn", "--samples", "64", "--out", str(out), "--resume"]
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == result
    assert main([*arguments, "--seed", "5"]) == 2
    assert "other options" in capsys.readouterr().err


def interrupted(out, *arguments):
    """The exit code and the errors of a run that gets Ctrl-C in the middle of its training."""
    command = [sys.executable, "-m", "explorer", *BASE, *arguments, "--out", str(out)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "loss" in line:
            process.send_signal(signal.SIGINT)
            break
    printed, errors = process.communicate(timeout=60)
    return process.returncode, printed, "".join(lines) + errors


TRAINING = ["--criterion", "l2", "--recover", "finetune", "--epochs", "2", "--seed"]


@pytest.mark.slow
def test_interrupt_leaves_only_finished_steps(tmp_path, capsys):
    code, printed, errors = interrupted(tmp_path / "out", *TRAINING, "4")
    assert (code, printed) == (130, "")
    assert errors.splitlines()[-1] == "interrupted"
    assert "Traceback" not in errors
    assert os.listdir(tmp_path) == ["out.partial"]
    assert {path.stem for path in Path(tmp_path / "out.partial").glob("*.safetensors")} == {"scores", "base", "cut"}

    assert main([*BASE, *TRAINING, "5", "--resume", "--out", str(tmp_path / "out")]) == 2
    assert "another seed" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["out.partial"]


@pytest.mark.slow
def test_resumed_and_uninterrupted_runs_end_alike(tmp_path):
    interrupted(tmp_path / "out", *TRAINING, "4")
    resumed = prune(tmp_path / "out", *TRAINING, "4", "--resume")
    whole = prune(tmp_path / "whole", *TRAINING, "4")
    assert (resumed.returncode, whole.returncode) == (0, 0), resumed.stderr + whole.stderr
    assert sorted(os.listdir(tmp_path)) == ["out", "whole"]
    first, second = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("out", "whole"))
    assert first == second
    first, second = json.loads(resumed.stdout), json.loads(whole.stdout)
    assert first["groups"] == second["groups"]
    assert first["pruned"]["top1"] == second["pruned"]["top1"]


@pytest.mark.slow
def test_half_the_computation_within_two_points(tmp_path):
    done = prune(tmp_path / "out", "--criterion", "flow", "--recover", "finetune")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["achieved"]["macs"] == pytest.approx(0.5, rel=0.01)
    assert result["base"]["top1"] - result["pruned"]["top1"] <= 0.02
    assert result["onnx"]["max_abs_diff"] < 1e-3
    assert result["onnx"]["top1"] == result["pruned"]["top1"]
