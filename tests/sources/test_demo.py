"""Training the bundled checkpoints: repeatable, recorded, and never half-written."""

import json

import pytest
import torch
from safetensors.torch import load_file

from explorer.errors import Cancelled
from explorer.sources import demo_training
from explorer.sources.demo_training import RECIPES, Recipe, train_all

REF = "demo:vgg-tiny"


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """One recipe that takes a second."""
    recipe = Recipe("vgg", "shapes?n=240&classes=2&difficulty=0", "Tiny", 2, "sgd", 0.05, 5e-4, shift=1, flip=True)
    monkeypatch.setattr(demo_training, "RECIPES", {REF: recipe})


def test_recipes_cover_three_networks_on_each_task():
    tasks = ("digits", "shapes", "letters", "hard-shapes")
    assert list(RECIPES) == [f"demo:{network}-{data}" for data in tasks for network in ("resnet20", "vgg", "vit")]
    mirrored = {recipe.data for recipe in RECIPES.values() if recipe.flip}
    assert mirrored == {"shapes", "hard-shapes"}  # a mirrored 2 is no 2, and a mirrored S no S


def test_training_is_recorded_and_repeatable(tmp_path):
    seen = []
    records = train_all(lambda fraction, message, **metrics: seen.append((fraction, metrics["loss"])), tmp_path / "a")
    train_all(out=tmp_path / "b")
    first, again = (load_file(tmp_path / folder / "vgg-tiny.safetensors") for folder in "ab")
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert json.loads((tmp_path / "a" / "demo.json").read_text()) == records
    record = records[REF]
    assert (record["seed"], record["epochs"], record["train_images"], record["test_images"]) == (0, 2, 144, 36)
    assert {"top1", "seconds", "threads", "versions", "architecture"} <= set(record)
    assert record["command"] == f"python -m explorer demo --model {REF}"
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)
    assert sorted(file.name for file in (tmp_path / "a").iterdir()) == ["demo.json", "vgg-tiny.safetensors"]


def test_cancelled_training_leaves_nothing(tmp_path):
    def stop(fraction: float, message: str, **metrics: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        train_all(stop, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_images_are_moved_and_flipped_whole():
    torch.manual_seed(0)
    image = torch.arange(64.0).view(1, 1, 8, 8).expand(40, 1, 8, 8)
    moved = demo_training._augmented(image, demo_training.RECIPES[REF])
    assert moved.shape == image.shape
    for picture in moved[:, 0]:
        centre = picture[1:-1, 1:-1]  # the border may be a repeated one
        assert torch.all(centre.diff(dim=0) == 8)
        assert torch.all(centre.diff(dim=1).abs() == 1)
    assert set(moved[:, 0, 3].diff(dim=1)[:, 3].tolist()) == {1.0, -1.0}
