"""Weights in every kind of file that training programs write: the network that comes out is the one that went in."""

import pickle
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from explorer.errors import ExplorerError
from explorer.sources import build, load_model
from tests.sources.containers import (
    BASE,
    REFUSED,
    WAYS,
    before,
    lightning,
    network,
    renamed,
    saved,
    shadow,
    without_dots,
)


def outputs(module: nn.Module) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        return module.eval()(torch.randn(4, 1, 32, 32, generator=generator))


def complaint(ref: str, **asked: int) -> str:
    with pytest.raises(ExplorerError) as caught:
        load_model(ref, **asked)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("way", WAYS)
def test_the_network_that_went_in_comes_out(tmp_path, way):
    module = network(3)
    path = WAYS[way](module, tmp_path)  # may change the network, as programs do
    model = load_model(f"file:{path}#{BASE}")
    assert model.note.startswith(f"weights from {path}")
    assert {parameter.dtype for parameter in model.module.parameters()} == {torch.float32}
    torch.testing.assert_close(outputs(model.module), outputs(module.float()), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_is_told_why_and_what_to_do(tmp_path, kind):
    write, words = REFUSED[kind]
    message = complaint(f"file:{write(network(3), tmp_path)}#{BASE}")
    assert words in message
    assert len(message) < 700


def both(module: nn.Module, averaged: nn.Module) -> dict[str, dict[str, object]]:
    """Averages beside the plain weights, as they are kept."""
    plain = module.state_dict()
    only = {name: parameter.detach() for name, parameter in averaged.named_parameters()}
    return {
        "ema": {"model": plain, "ema": averaged.state_dict()},
        "state_dict_ema": {"epoch": 3, "state_dict": plain, "state_dict_ema": averaged.state_dict()},
        "ema.module": {"ema": {"module": averaged.state_dict(), "decay": 0.9}, "model": before("module.", plain)},
        "ema_model": {**before("online_model.", plain), **before("ema_model.module.", averaged.state_dict())},
        "teacher": lightning({**before("student.", plain), **before("teacher.", averaged.state_dict())}),
        "shadow": {"model": plain, "ema": shadow(averaged)},
        "model_ema": {"state_dict": {**before("model.", plain), **before("model_ema.", without_dots(averaged))}},
        "averaged": {"model": plain, "averaged": only},
        "inside": {**plain, "inside": {"ema": averaged.state_dict()}},
    }


@pytest.mark.parametrize("name", both(network(3), network(4)))
def test_averages_beside_the_plain_weights_are_offered(tmp_path, name):
    module, averaged = network(3), network(4)
    path = saved(both(module, averaged)[name], tmp_path / "a.pth")
    plain = load_model(f"file:{path}#{BASE}")
    torch.testing.assert_close(outputs(plain.module), outputs(module))
    (_, here), (prefix, other) = plain.choices
    assert here == plain.ref
    assert other == f"file:{path}?weights={prefix}#{BASE}"
    assert f"the file has others, too: {other}" in plain.note
    for ref in (other, f"file:{path}?weights={name}#{BASE}"):  # a part of the prefix is enough
        chosen = load_model(ref)
        if not torch.equal(next(iter(chosen.module.buffers())), next(iter(module.buffers()))):
            torch.testing.assert_close(outputs(chosen.module), outputs(averaged))
        torch.testing.assert_close(chosen.module.fc.weight, averaged.fc.weight)
        assert plain.ref in chosen.note
        assert chosen.choices == (plain.choices[0], (prefix, ref))


def test_the_name_of_weights_is_one_of_those_in_the_file(tmp_path):
    module = network(3)
    states = {"model": module.state_dict(), "ema_1": network(4).state_dict(), "ema_2": network(5).state_dict()}
    path = saved(states, tmp_path / "a.pth")
    assert "holds several weights with 'ema' before their names: say weights=ema_1 or weights=ema_2" in complaint(
        f"file:{path}?weights=ema#{BASE}"
    )
    assert "unknown weights in" in complaint(f"file:{path}?weights=optimizer#{BASE}")
    asking = saved(module.state_dict(), tmp_path / "what?.pth")
    assert load_model(f"file:{asking}#{BASE}").choices == ()


def test_what_was_done_to_the_weights_is_said(tmp_path):
    module = network(3).half()
    state = {"net": {**before("body.", module.state_dict()), "head.extra": torch.ones(3, 3)}}
    note = load_model(f"file:{saved(state, tmp_path / 'a.pth')}#{BASE}").note
    assert note == (
        f"weights from {tmp_path / 'a.pth'}; found under net.body; stored in float16, used in float32; "
        "left out 1 tensor (net.head.extra)"
    )


def test_what_was_passed_over_in_names_is_said(tmp_path):
    state = {name.replace("layer1.", "layer1.module."): tensor for name, tensor in network(3).state_dict().items()}
    note = load_model(f"file:{saved(state, tmp_path / 'a.pth')}#{BASE}").note
    assert note == f"weights from {tmp_path / 'a.pth'}; passed over within names: module"


def test_weights_whose_place_has_an_odd_name_are_still_found(tmp_path):
    module, averaged = network(3), network(4)
    odd = {"a\nb?c": averaged.state_dict(), "plain": {"deeper": module.state_dict()}}
    model = load_model(f"file:{saved(odd, tmp_path / 'a.pth')}#{BASE}")
    torch.testing.assert_close(outputs(model.module), outputs(averaged))
    assert r"found under 'a\nb?c'" in model.note
    assert [prefix for prefix, _ in model.choices] == ["a\nb?c", "plain.deeper"]


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("squeezenet1_1", "torchvision:squeezenet1_1"),
        ("lraspp_mobilenet_v3_large", "torchvision:lraspp_mobilenet_v3_large"),
    ],
)
def test_the_size_of_the_head_is_read_off_the_file(tmp_path, name, base):
    module = build({"family": "torchvision", "name": name, "arguments": {"num_classes": 7}}, seed=3)
    state = {name.removeprefix("model."): tensor for name, tensor in module.state_dict().items()}
    path = saved({"model": before("module.", state)}, tmp_path / "a.pth")
    model = load_model(f"file:{path}#{base}")
    assert (model.classes, model.architecture["arguments"]["num_classes"]) == (7, 7)
    inputs = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model.module(inputs), module(inputs))
    assert "was made for 7 classes but the data has 8" in complaint(f"file:{path}#{base}", classes=8)
    assert "instead of (10, " in complaint(f"file:{path}#{base}?num_classes=10")


def test_what_does_not_fit_beside_the_head_is_said_alone(tmp_path):
    state = build({"family": "torchvision", "name": "squeezenet1_1", "arguments": {"num_classes": 7}}).state_dict()
    path = saved({**state, "features.0.weight": torch.ones(64, 1, 3, 3)}, tmp_path / "a.pth")
    message = complaint(f"file:{path}#torchvision:squeezenet1_1")
    assert "1 of another shape (features.0.weight (64, 1, 3, 3) instead of (64, 3, 3, 3))" in message


def test_a_head_of_several_outputs_a_class_is_read_off_the_file(tmp_path):
    name = "ssdlite320_mobilenet_v3_large"
    module = build({"family": "torchvision", "name": name, "arguments": {"num_classes": 5}})
    path = saved(module.model.state_dict(), tmp_path / "a.pth")
    assert load_model(f"file:{path}#torchvision:{name}").classes == 5


def test_an_auxiliary_head_that_a_segmenter_lacks_is_left_out(tmp_path):
    name = "lraspp_mobilenet_v3_large"
    module = build({"family": "torchvision", "name": name, "arguments": {"num_classes": 3}})
    state = {**module.model.state_dict(), "aux_classifier.0.weight": torch.ones(25, 10, 3, 3)}
    model = load_model(f"file:{saved(state, tmp_path / 'a.pth')}#torchvision:{name}")
    assert model.classes == 3
    assert "left out 1 tensor (aux_classifier.0.weight)" in model.note


class Call:
    """Unpickling it calls a function, which tells of it."""

    def __init__(self, function, *arguments) -> None:
        self.called = function, arguments

    def __reduce__(self):
        return self.called


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(
    "call",
    [
        lambda target: Call(Path.touch, target),
        lambda target: Call(subprocess.check_call, ["touch", str(target)]),
        lambda target: Call(subprocess.Popen, ["touch", str(target)]),
        lambda target: Call(eval, f"open({str(target)!r}, 'w')"),
        lambda target: Call(getattr, Call(__import__, "os"), "system"),
        lambda target: Call(torch.load, str(target)),
        lambda target: Call(save_file, {}, str(target)),
    ],
    ids=["method", "function", "class", "eval", "attribute", "torch", "other"],
)
def test_what_a_file_calls_is_not_run_and_told(tmp_path, call, old):
    target = tmp_path / "executed"
    content = {"state_dict": network(3).state_dict(), "hyper_parameters": {"a": [call(target)]}}
    path = saved(content, tmp_path / "a.ckpt", _use_new_zipfile_serialization=not old)
    assert "could run code, so it was not opened" in complaint(f"file:{path}#{BASE}")
    assert not target.exists()


def test_weights_fit_networks_of_timm_by_order(tmp_path):
    module = load_model("timm:test_efficientnet?num_classes=10").module
    path = saved(renamed({n: t + 0.1 for n, t in module.state_dict().items()}), tmp_path / "a.pth")
    model = load_model(f"file:{path}#timm:test_efficientnet")
    assert model.classes == 10  # although no name says which layer is the head
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(model.module.state_dict()[name], tensor + 0.1)
    assert "matched by order and shape" in model.note


def test_weights_fit_networks_of_ones_own_code(tmp_path, monkeypatch):
    code = tmp_path / "mine.py"
    code.write_text("from torch import nn, ones\n\ndef build():\n    return nn.Linear(3, 4), ones(1, 3)\n")
    monkeypatch.setenv("EXPLORER_MODELS", str(code))
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path / "cache"))
    module = nn.Linear(3, 4)
    path = saved({"net": before("layer.", module.state_dict())}, tmp_path / "a.pth")
    model = load_model(f"file:{path}#python:{code}:build")
    torch.testing.assert_close(model.module(torch.eye(3)), module(torch.eye(3)))


def test_names_of_any_length_and_depth_are_answered_at_once(tmp_path):
    long, deep = "conv1." * 200_000 + "weight", torch.ones(1)
    for number in range(300):
        deep = {f"{number}" * 2000: deep}
    path = saved({long: torch.ones(1)}, tmp_path / "a.pth")
    assert "the names in it are too long" in complaint(f"file:{path}#{BASE}")
    assert "holds no state dict" in complaint(f"file:{saved(deep, tmp_path / 'a.pth')}#{BASE}")


def test_a_file_changed_where_its_numbers_lie_is_damaged(tmp_path):
    for old in (False, True):
        path = saved(network(3).state_dict(), tmp_path / "a.pth", _use_new_zipfile_serialization=not old)
        path.write_bytes(path.read_bytes()[:-3000])
        assert "is damaged" in complaint(f"file:{path}#{BASE}")
    path.write_bytes(pickle.dumps(torch.ones(3)))
    assert "was not opened" in complaint(f"file:{path}#{BASE}")
