"""How pictures are normalised is a fact of the model: carried, or said in its ref, the same for base and cut."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from explorer.errors import ExplorerError
from explorer.sources import load_model, load_pair
from explorer.sources.data.digits import digits
from explorer.sources.models.timm_models import LISTED
from explorer.sources.networks.timm_networks import settings_of
from explorer.tasks import evaluate

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ("demo:vgg-digits", ((0.5,), (0.5,))),
        ("demo:vgg-digits?mean=0.1&std=0.3", ((0.1,), (0.3,))),
        ("demo:vgg-shapes?normalise=imagenet", IMAGENET),
        ("torchvision:resnet18", None),
        ("torchvision:resnet18?normalise=half&num_classes=3", ((0.5,) * 3, (0.5,) * 3)),
        ("torchvision:resnet18?mean=0.1,0.2,0.3&std=1", ((0.1, 0.2, 0.3), (1.0, 1.0, 1.0))),
        ("torchvision:resnet18?in=2&normalise=none", ((0.0, 0.0), (1.0, 1.0))),
        ("timm:test_resnet", ((0.5,) * 3, (0.5,) * 3)),
        ("timm:resnet18", IMAGENET),
        ("timm:resnet18?in=1", None),
    ],
)
def test_a_model_says_how_its_pictures_are_normalised(ref, expected):
    found = load_model(ref).normalisation
    assert found == expected


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("mean=0.5", "write mean=…&std=… together"),
        ("mean=0&std=1&normalise=half", "in part or twice"),
        ("mean=0&std=0", "a std above 0"),
        ("mean=0,0&std=1,1", "one for each of 3 channels"),
        ("normalise=cifar", "give imagenet, half, none or bytes"),
        ("mean=a&std=1", "give a number"),
        ("mean=nan&std=1", "give a number"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(options, words):
    with pytest.raises(ExplorerError) as caught:
        load_model(f"torchvision:squeezenet1_1?{options}")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """The digits as PNG files in a folder for each class."""
    root = tmp_path_factory.mktemp("digits")
    pixels, labels = digits()
    for number, (image, label) in enumerate(zip(pixels.numpy(), labels, strict=True)):
        (root / str(label)).mkdir(exist_ok=True)
        Image.fromarray(image[0]).save(root / str(label) / f"{number:04}.png")
    return root


@pytest.mark.slow
def test_the_same_pictures_as_files_get_the_same_answers_whole_and_cut(pictures, tmp_path):
    command = [sys.executable, "-m", "explorer", "prune", "--model", "demo:resnet20-digits", "--data", "digits"]
    options = ["--keep", "macs=0.9", "--recover", "reconstruct", "--out", str(tmp_path / "cut")]
    subprocess.run([*command, *options], check=True, capture_output=True)
    for ref in ("demo:resnet20-digits", f"run:{tmp_path / 'cut'}"):
        for data in ("digits", f"folder:{pictures}"):
            model, task = load_pair(ref, data)
            assert (task.mean, task.std) == model.normalisation
            assert evaluate(model.module, task.test, kind=task.kind, device=torch.device("cpu")).value > 0.96


def test_stems_fit_small_pictures_and_other_channels():
    whole, small = (load_model(f"torchvision:resnet18?{options}num_classes=4") for options in ("", "stem=cifar&in=1&"))
    assert small.input_shape == (1, 32, 32)
    at_last = small.module.layer4.register_forward_hook(lambda layer, given, made: setattr(layer, "seen", made.shape))
    small.module(small.example())
    at_last.remove()
    assert small.module.layer4.seen[2:] == (4, 4)  # pictures are halved three times, not five
    stem = small.module.conv1
    assert (stem.in_channels, stem.kernel_size, stem.stride) == (1, (3, 3), (1, 1))
    same = {name for name in whole.module.state_dict() if name != "conv1.weight"}
    assert {name for name in small.module.state_dict() if name != "conv1.weight"} == same
    with pytest.raises(ExplorerError, match="no stem=cifar"):
        load_model("torchvision:vit_b_32?stem=cifar")
    with pytest.raises(ExplorerError, match="leave in= out"):
        load_model("torchvision:resnet18@DEFAULT?in=1")


@pytest.mark.parametrize(
    ("ref", "shape"),
    [
        ("torchvision:resnet18?size=64&in=1&num_classes=3", (1, 64, 64)),
        ("torchvision:vit_b_32?size=64&num_classes=3", (3, 64, 64)),
        ("torchvision:resnet18?stem=cifar&size=40x24", (3, 40, 24)),
        ("timm:resnet18?size=96", (3, 96, 96)),
        ("timm:test_vit?size=32x32", (3, 32, 32)),
        ("demo:resnet20-digits?size=48", (1, 48, 48)),
    ],
)
def test_the_size_of_pictures_can_be_said(ref, shape):
    model = load_model(ref)
    assert model.input_shape == shape
    assert model.module(model.example()).shape == (1, model.classes)


def test_what_is_asked_for_comes_before_what_the_ref_says():
    for ref, shape in (("demo:resnet20-digits?size=48", (1, 40, 40)), ("timm:test_vit?size=96", (3, 64, 64))):
        assert load_model(ref, input_shape=shape).input_shape == shape


def test_networks_of_timm_open_at_sizes_and_with_classes_of_the_data():
    model, task = load_pair("timm:test_vit", "digits", input_shape=(3, 64, 64))
    assert (model.classes, model.input_shape, task.input_shape) == (10, (3, 64, 64), (3, 64, 64))
    with torch.inference_mode():
        assert model.module(torch.stack([task.test[0][0]])).shape == (1, 10)
    with pytest.raises(ExplorerError, match="unknown timm model"):
        load_model("timm:hf-hub:somebody/something")


def test_listed_networks_of_timm_have_the_size_that_is_said():
    assert {name: tuple(settings_of(name).input_size) for name in LISTED} == {
        name: (3, side, side) for name, side in LISTED.items()
    }
