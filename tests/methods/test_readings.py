"""Networks whose pictures or classes are read in another way than in their training, and the way out."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.methods.studies.readings import readings
from explorer.sources import load_model, load_pair
from explorer.sources.turning import with_options
from explorer.tasks import evaluate

ORDER = [3, 1, 2, 0, 4, 6, 5, 7, 9, 8]


def accuracy(ref: str, data: str) -> float:
    model, task = load_pair(ref, data)
    return evaluate(model.module, task.test, kind=task.kind, device=torch.device("cpu")).value


@pytest.fixture
def shuffled(tmp_path: Path) -> str:
    """The demo network for digits, whose weights number the classes in another order."""
    tensors = {name: tensor.clone() for name, tensor in load_model("demo:vgg-digits").module.state_dict().items()}
    last = list(tensors)[-2].rpartition(".")[0]
    for name in (f"{last}.weight", f"{last}.bias"):
        tensors[name] = tensors[name][ORDER].contiguous()
    save_file(tensors, tmp_path / "w.safetensors")
    return f"file:{tmp_path / 'w.safetensors'}#demo:vgg-digits"


def test_a_wrong_normalisation_is_found_and_its_ref_said():
    found = readings(Spec("demo:vgg-digits?normalise=bytes", "digits", samples=128))
    assert found.now.top1 < 0.5
    assert found.better[0].ref == "demo:vgg-digits?normalise=half"
    assert accuracy(found.better[0].ref, "digits") > 0.98


def test_another_order_of_classes_is_found_and_its_ref_said(shuffled):
    found = readings(Spec(shuffled, "digits"))
    best = found.better[0]
    assert best.title.endswith("classes in another order")
    assert best.ref.endswith("?outputs=" + ",".join(str(ORDER.index(number)) for number in range(10)))
    assert accuracy(shuffled, "digits") < 0.6
    assert accuracy(best.ref, "digits") > 0.98


def test_channels_from_blue_to_red_are_tried_and_turned(tmp_path):
    tensors = {name: tensor.clone() for name, tensor in load_model("demo:resnet20-shapes").module.state_dict().items()}
    tensors["conv1.weight"] = tensors["conv1.weight"].flip(1).contiguous()
    save_file(tensors, tmp_path / "w.safetensors")
    ref = f"file:{tmp_path / 'w.safetensors'}#demo:resnet20-shapes"
    tried = {way.title: way.ref for way in readings(Spec(ref, "shapes", samples=64)).others}
    assert tried["pictures normalised to −1…1, channels from blue to red"] == f"{ref}?channels=bgr"
    assert "pictures normalised to −1…1" not in tried  # which it is already
    turned, same = load_model(f"{ref}?channels=bgr").module, load_model("demo:resnet20-shapes").module.state_dict()
    assert all(torch.equal(tensor, same[name]) for name, tensor in turned.state_dict().items())


@pytest.mark.slow
def test_a_network_that_is_read_rightly_or_knows_nothing_is_left_alone():
    assert readings(Spec("demo:vgg-digits", "digits", samples=128)).better == ()
    assert readings(Spec("torchvision:squeezenet1_1?num_classes=10", "digits", samples=64)).better == ()


def test_refs_take_options_where_their_source_has_them():
    assert with_options("demo:a?mean=1&std=2", {"normalise": "half"}) == "demo:a?normalise=half"
    assert with_options("file:x?y.pt#timm:a?in=1", {"channels": "bgr"}) == "file:x?y.pt#timm:a?in=1&channels=bgr"
    assert with_options("hf:somebody/net", {"normalise": "half"}) is None
    for options, words in (
        ("outputs=0,0", "each once"),
        ("outputs=1,0", "orders 2 outputs"),
        ("channels=bgr", "have 1"),
    ):
        with pytest.raises(ExplorerError, match=words):
            load_model(f"demo:vgg-digits?{options}")
