"""Model refs: what they load, and one clear line for everything that can't be loaded."""

import json
import pickle
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from explorer.errors import ExplorerError
from explorer.places import ASSETS
from explorer.sources import build, list_models, load_model, load_pair
from explorer.sources.demo_training import RECIPES
from explorer.sources.models.demo_models import demo_records
from explorer.sources.networks.pretrained import _OLD_DENSENET_NAME, arguments, find_weights, weights_of
from explorer.tasks import evaluate

DEMO = {"family": "demo", "name": "resnet20", "arguments": {"classes": 10, "channels": 1}}
DEMOS = list(demo_records())


def complain(ref: str, **arguments) -> str:
    with pytest.raises(ExplorerError) as caught:
        load_model(ref, **arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A saved model whose first stage's middle channels were halved."""
    module = build(DEMO)
    block = module.layer1[0]
    block.conv1, block.bn1 = nn.Conv2d(16, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
    block.conv2 = nn.Conv2d(8, 16, 3, padding=1, bias=False)
    report = {
        "model": "demo:resnet20-digits",
        "data": "digits",
        "architecture": DEMO,
        "attributes": {},
        "classes": list("0123456789"),
        "input_shape": [1, 32, 32],
        "title": "Half a block",
    }
    (tmp_path / "report.json").write_text(json.dumps(report))
    save_file(module.state_dict(), tmp_path / "weights.safetensors")
    return tmp_path


@pytest.mark.parametrize("ref", DEMOS)
def test_demo_models_do_what_their_record_says(ref):
    model, task = load_pair(ref)
    assert model.trained
    assert not model.module.training
    assert model.data == task.ref
    inputs, labels = (tensor[:300] for tensor in task.test.tensors)
    with torch.inference_mode():
        top1 = (model.module(inputs).argmax(1) == labels).float().mean().item()
    record = demo_records()[ref]
    if len(task.test) <= 300:
        assert top1 == pytest.approx(record["top1"], abs=0.01)
    else:  # part of the test images: three standard errors of 300
        assert top1 == pytest.approx(
            record["top1"], abs=0.01 + 3 * (record["top1"] * (1 - record["top1"]) / 300) ** 0.5
        )
    assert record["architecture"] == model.architecture


@pytest.mark.slow
@pytest.mark.parametrize("ref", DEMOS)
def test_recorded_accuracies_are_those_of_the_whole_test_part(ref):
    model, task = load_pair(ref)
    record, found = demo_records()[ref], evaluate(model.module, task.test, device=torch.device("cpu"))
    assert record["test_images"] == found.samples
    assert found.top1 == pytest.approx(record["top1"], abs=1.5 / found.samples)  # a tie may fall to the other side


def test_bundled_weights_are_small():
    files = list(ASSETS.glob("*.safetensors"))
    assert {f"demo:{file.stem}" for file in files} == set(DEMOS) == set(RECIPES)
    sizes = [file.stat().st_size for file in (*files, ASSETS / "letters.npz")]
    assert max(sizes) < 5e6
    assert sum(sizes) < 20e6


def test_example_is_always_the_same():
    model = load_model("demo:vit-digits")
    assert model.example(3).shape == (3, 1, 32, 32)
    assert torch.equal(model.example(3), model.example(3))


def test_building_is_deterministic_and_leaves_the_random_state_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second = build(DEMO), build(DEMO)
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize("architecture", [{}, {"family": "demo"}, DEMO | {"family": "x"}, DEMO | {"name": "x"}])
def test_damaged_architectures(architecture):
    with pytest.raises(ExplorerError):
        build(architecture)


def test_architecture_arguments_are_checked():
    with pytest.raises(ExplorerError, match="can't be built"):
        build(DEMO | {"arguments": {"depth": 3}})


@pytest.mark.parametrize("name", ["squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5", "regnet_y_400mf"])
def test_torchvision_models(name):
    model = load_model(f"torchvision:{name}?num_classes=5", input_shape=(3, 64, 64))
    assert (model.trained, model.note) == (False, "untrained: random weights (seed 0)")
    assert (model.classes, model.input_shape) == (5, (3, 64, 64))
    assert model.module(model.example(2)).shape == (2, 5)


def test_auxiliary_heads_stay():
    model = load_model("torchvision:googlenet", classes=4)
    assert model.module.aux1 is not None
    outputs = model.module.train()(torch.randn(2, 3, 64, 64))
    assert [tuple(output.shape) for output in outputs] == [(2, 4)] * 3


def test_untrained_transformers_take_any_size_that_their_patch_divides():
    assert load_model("torchvision:vit_b_32", input_shape=(3, 64, 64), classes=3).architecture["arguments"] == {
        "image_size": 64,
        "num_classes": 3,
    }
    assert "multiples of 32" in complain("torchvision:vit_b_32", input_shape=(3, 100, 100))


def test_model_and_data_are_made_to_fit():
    model, task = load_pair("torchvision:squeezenet1_1", "digits", input_shape=(3, 64, 64))
    assert model.classes == len(task.classes) == 10
    assert task.test[0][0].shape == (3, 64, 64)
    model, task = load_pair("torchvision:squeezenet1_1", input_shape=(3, 64, 64))
    assert (task.ref, len(task.classes), task.measured) == ("random", 1000, False)


def test_list_covers_demo_and_torchvision():
    entries = {entry.ref: entry for entry in list_models()}
    assert set(DEMOS) < set(entries)
    assert entries["torchvision:inception_v3"].input_shape == (3, 299, 299)
    assert entries["torchvision:efficientnet_b1@IMAGENET1K_V2"].trained
    assert "download" in entries["torchvision:resnet50@IMAGENET1K_V2"].note
    assert len([ref for ref in entries if ref.startswith("torchvision:") and "@" not in ref]) >= 80


def test_arguments_of_pretrained_models_rebuild_them():
    assert arguments("googlenet", weights_of("googlenet")[0]) == {
        "aux_logits": True,
        "init_weights": False,
        "num_classes": 1000,
        "transform_input": True,
    }
    swag = find_weights("vit_b_16", "IMAGENET1K_SWAG_E2E_V1")
    assert arguments("vit_b_16", swag) == {"num_classes": 1000, "image_size": 384}


def test_old_names_in_densenet_files():
    new = set(build({"family": "torchvision", "name": "densenet121", "arguments": {"num_classes": 2}}).state_dict())
    old = [re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name) for name in new]
    assert set(old) != new
    assert {_OLD_DENSENET_NAME.sub(r"\1\2", name) for name in old} == new


@pytest.mark.parametrize("suffix", ["safetensors", "pth", "pt"])
def test_weights_from_a_file(tmp_path, suffix):
    module = build(DEMO)
    nn.init.normal_(module.fc.weight)
    path = tmp_path / f"model.{suffix}"
    if suffix == "safetensors":
        save_file(module.state_dict(), path)
    else:
        wrapped = {f"module.{name}": tensor for name, tensor in module.state_dict().items()}
        torch.save({"state_dict": wrapped} if suffix == "pth" else wrapped, path)
    model = load_model(f"file:{path}#demo:resnet20-digits")
    assert model.trained
    assert model.data == "digits"
    torch.testing.assert_close(model.module(model.example()), module(model.example()))


def test_mnasnet_weights_from_a_file(tmp_path):
    module = build({"family": "torchvision", "name": "mnasnet0_5", "arguments": {"num_classes": 3}})
    save_file(module.state_dict(), tmp_path / "m.safetensors")
    assert load_model(f"file:{tmp_path / 'm.safetensors'}#torchvision:mnasnet0_5?num_classes=3").classes == 3


def test_files_that_do_not_fit(tmp_path):
    path = tmp_path / "m.safetensors"
    tensors = dict(build(DEMO).state_dict())
    del tensors["fc.bias"]
    save_file(tensors | {"extra": torch.zeros(1), "fc.weight": torch.zeros(7, 64)}, path)
    message = complain(f"file:{path}#demo:resnet20-digits")
    assert "1 missing (fc.bias)" in message
    assert "1 unexpected (extra)" in message
    assert "1 of another shape (fc.weight (7, 64) instead of (10, 64))" in message


def test_files_that_are_damaged(tmp_path):
    path = tmp_path / "m.safetensors"
    save_file(build(DEMO).state_dict(), path)
    path.write_bytes(path.read_bytes()[:-1000])
    assert "is damaged" in complain(f"file:{path}#demo:resnet20-digits")
    path.write_bytes(b"")
    assert "is damaged" in complain(f"file:{path}#demo:resnet20-digits")
    for content in (b"", b"not a checkpoint", b"PK\x03\x04 nor an archive"):
        (tmp_path / "m.pth").write_bytes(content)
        message = complain(f"file:{tmp_path / 'm.pth'}#demo:resnet20-digits")
        assert "is damaged" in message or "was not opened" in message
    torch.save([1, 2], tmp_path / "list.pt")
    assert "no state dict" in complain(f"file:{tmp_path / 'list.pt'}#demo:resnet20-digits")


class Payload:
    """Unpickling this would create a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


@pytest.mark.parametrize("writer", ["torch", "torch-legacy", "pickle"])
def test_code_in_a_pickle_is_never_run(tmp_path, writer):
    target, path = tmp_path / "executed", tmp_path / "model.pth"
    content = {"weight": torch.zeros(2), "other": Payload(target)}
    if writer == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=writer == "torch")
    assert "was not opened" in complain(f"file:{path}#demo:resnet20-digits")
    assert not target.exists()
    pickle.loads(pickle.dumps(Payload(target)))
    assert target.exists()  # the payload would have worked


def test_saved_run(run):
    model = load_model(f"run:{run}")
    assert (model.title, model.data, model.classes) == ("Half a block", "digits", 10)
    assert not model.module.training
    assert model.module.layer1[0].conv1.out_channels == 8


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("report.json", None, "no saved model"),
        ("report.json", "{", "is damaged"),
        ("report.json", "[]", "is damaged"),
        ("report.json", "{}", "attributes: field required"),
        ("weights.safetensors", None, "there is no file"),
        ("weights.safetensors", "{", "is damaged"),
    ],
)
def test_damaged_runs(run, file, content, words):
    if content is None:
        (run / file).unlink()
    else:
        (run / file).write_text(content)
    assert words in complain(f"run:{run}")


def test_run_whose_weights_belong_to_another_network(run):
    save_file({"fc.weight": torch.zeros(3, 3)}, run / "weights.safetensors")
    assert "is damaged" in complain(f"run:{run}")


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("resnet50", "did you mean torchvision:resnet50?"),
        ("resnet20-digits", "did you mean demo:resnet20-digits?"),
        ("", "unknown model"),
        ("onnx:x", "use demo:, torchvision:, timm:, hf:, run:, file: or python:"),
        ("hf:../../no such", "there is no folder"),
        ("hf:a/b/c", "names no model"),
        ("demo:resnet-digits", "did you mean demo:resnet20-digits"),
        ("torchvision:resnet500", "did you mean resnet50"),
        ("torchvision:raft_small", "unknown torchvision model"),
        ("torchvision:resnet18@IMAGENET", "unknown weights of resnet18"),
        ("torchvision:resnet18?classes=3", "its options are num_classes"),
        ("torchvision:resnet18?num_classes=0", "whole number"),
        ("torchvision:resnet18@IMAGENET1K_V1?num_classes=10", "give 1000 classes, not 10"),
        ("file:weights.safetensors", "write file:PATH#torchvision:NAME"),
        ("file:weights.safetensors#resnet18", "write file:PATH#torchvision:NAME"),
        ("file:missing.safetensors#torchvision:resnet18", "there is no file 'missing.safetensors'"),
        ("run:missing", "no saved model"),
    ],
)
def test_bad_refs(ref, words):
    assert words in complain(ref)


@pytest.mark.parametrize("shape", [(3, 32), (0, 32, 32), (1, 10**6, 10**6), (1, -1, 4)])
def test_absurd_inputs(shape):
    assert "is no image" in complain("demo:resnet20-digits", input_shape=shape)


def test_inputs_that_do_not_fit():
    assert "can't take input 3×32×32" in complain("demo:resnet20-digits", input_shape=(3, 32, 32))
    assert "can't take input 1×48×48" in complain("demo:vit-digits", input_shape=(1, 48, 48))
    assert "it reads images: write 3x224x224" in complain("demo:resnet20-digits", input_shape=(32,))
    assert load_model("demo:resnet20-digits", input_shape=(1, 48, 48)).example().shape == (1, 1, 48, 48)


def test_classes_that_do_not_fit():
    assert "was made for 10 classes but the data has 8" in complain("demo:resnet20-digits", classes=8)
    assert "10 classes but the data has 8" in complain("torchvision:squeezenet1_1?num_classes=10", classes=8)


def test_unreachable_weights_are_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request._opener", None)  # it remembers the proxies of its first use
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    message = complain("torchvision:squeezenet1_1@IMAGENET1K_V1")
    assert "could not be downloaded (no connection" in message
    assert capsys.readouterr().out == ""
