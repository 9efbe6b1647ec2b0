"""A bundle is complete, reloads without us, and appears whole or not at all."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file, save_file

from explorer import owned
from explorer.errors import Cancelled, ExplorerError
from explorer.evaluation import size_bytes
from explorer.export import write_bundle
from explorer.export.verify import check_script
from explorer.sources import load_model

FILES = {"plan.json", "weights.safetensors", "model.onnx", "report.json", "README.md", "load.py"}


@pytest.fixture
def copy(bundle, tmp_path):
    """A bundle to damage."""
    return shutil.copytree(bundle.folder, tmp_path / "copy")


def test_it_holds_what_it_should_and_leaves_nothing_beside_it(bundle, subject):
    assert {path.name for path in bundle.folder.iterdir()} == FILES | {owned.MARK}
    assert [path.name for path in bundle.folder.parent.iterdir()] == ["bundle"]
    assert (bundle.folder / "weights.safetensors").stat().st_size == size_bytes(subject.module)
    assert json.loads((bundle.folder / "plan.json").read_text()) == subject.exported.plan.to_json()
    assert len({path.stat().st_mode for path in bundle.folder.iterdir()}) == 1


def test_the_report_is_strict_json_and_tells_the_checks(bundle):
    report = json.loads((bundle.folder / "report.json").read_text(), parse_constant=pytest.fail)
    assert report["seconds"] is None  # was not a number
    assert report["spec"] == {"seed": 0}
    assert report["input_shape"] == [1, 32, 32]
    assert len(report["classes"]) == 10
    assert report["onnx"]["exporter"] == "dynamo"
    assert report["onnx"]["top1"] == report["onnx"]["top1_torch"]
    assert report["onnx"]["max_abs_diff"] <= 1e-3
    assert [check["batches"] for check in report["checks"]] == [[1, 2, 5]] * 3
    assert all(check["max_abs_diff"] <= check["tolerance"] for check in report["checks"])
    assert report["out"] == str(bundle.folder)


def test_it_reloads_to_identical_logits(bundle, subject):
    again = load_model(f"run:{bundle.folder}")
    with torch.inference_mode():
        assert torch.equal(again.module(subject.images), subject.module(subject.images))
    assert (again.data, again.classes) == ("digits", 10)


def test_load_py_says_in_one_line_what_it_loaded(bundle):
    command = [sys.executable, "-I", "-B", "load.py"]
    done = subprocess.run(command, cwd=bundle.folder, capture_output=True, text=True, check=True)
    parameters = sum(tensor.numel() for name, tensor in load_model(f"run:{bundle.folder}").module.named_parameters())
    assert done.stdout == f"{parameters:,} parameters; (1, 32, 32) gives (10,)\n"


def test_the_onnx_file_takes_any_batch(bundle, subject):
    session = onnxruntime.InferenceSession(bundle.folder / "model.onnx")
    (given,), (answer,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape[1:], answer.name) == ("input", [1, 32, 32], "logits")
    for size in (1, 3, 17):
        with torch.inference_mode():
            expected = subject.module(subject.images[:size]).numpy()
        np.testing.assert_allclose(session.run(None, {"input": subject.images[:size].numpy()})[0], expected, atol=1e-4)


def test_no_path_of_this_machine_is_given_away(bundle):
    for path in bundle.folder.iterdir():
        content = path.read_bytes().replace(str(bundle.folder).encode(), b"")
        assert b"site-packages" not in content
        assert str(sys.prefix).encode() not in content


def test_the_card_says_how_inputs_are_made(bundle, subject):
    card = (bundle.folder / "README.md").read_text()
    mean, std = subject.exported.task.mean, subject.exported.task.std
    assert f"less a mean of ({mean[0]:.4g}), divided by ({std[0]:.4g})" in card
    assert card.count("batches of 1, 2, 5") == 3


def test_other_weights_are_noticed(copy, subject):
    tensors = load_file(copy / "weights.safetensors")
    tensors["fc.bias"][0] += 0.01
    save_file(tensors, copy / "weights.safetensors")
    with pytest.raises(ExplorerError, match=r"load\.py in a clean process, gives logits that differ by 0\.01"):
        check_script(copy, subject.module, subject.images)


def test_a_script_that_needs_this_program_is_noticed(copy, subject):
    script = (copy / "load.py").read_text()
    (copy / "load.py").write_text(script.replace("from pathlib", "import explorer.errors\nfrom pathlib"))
    with pytest.raises(ExplorerError, match=r"does not run by itself \(ModuleNotFoundError: .*explorer"):
        check_script(copy, subject.module, subject.images)


def test_a_bundle_that_fails_its_checks_is_not_kept_and_the_earlier_one_is(copy, subject):
    loaded = subject.exported.loaded
    other = replace(loaded, architecture=loaded.architecture | {"name": "vgg"})
    wrong = replace(subject.exported, loaded=other)
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    with pytest.raises(ExplorerError, match="does not run by itself"):
        write_bundle(copy, wrong, subject.result)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


def test_cancelling_leaves_nothing(subject, tmp_path):
    def stop(fraction: float, message: str, **metrics: float) -> None:
        if "clean process" in message and fraction > 0.6:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_bundle(tmp_path / "new" / "bundle", subject.exported, subject.result, report=stop)
    assert list(tmp_path.iterdir()) == []


def test_no_evaluation_data_is_refused_before_anything_is_written(subject, tmp_path):
    nothing = torch.utils.data.TensorDataset(torch.zeros(0, 1, 32, 32), torch.zeros(0).long())
    task = replace(subject.exported.task, test=nothing)
    with pytest.raises(ExplorerError, match="there are none"):
        write_bundle(tmp_path / "bundle", replace(subject.exported, task=task), subject.result)
    assert list(tmp_path.iterdir()) == []
