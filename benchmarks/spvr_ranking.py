"""Ranking sets of channels by their masked softmax change: one whole forward pass for each set against our way.

    python benchmarks/spvr_ranking.py [--json] [--samples 50] [--repeats 1] [--sweep 1]

Both ways mask the same sets on the same samples, and their scores are asserted to be equal. A ratio is the whole
passes' time over ours, which includes recording. On a GPU, ResNet-50 at 224 pixels with sets of 32 is added, with our
time for 20,000 images scaled from the samples of `--images`. The sweep shows how the cost grows: of a chain of four
convolutions as wide as `model` says, and with the samples.
"""

from typing import Any

import numpy as np
import torch
from sidebyside import fastest, options, present
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from explorer.criteria.context import Context, calibration_slice
from explorer.criteria.masking import Ranked, rank
from explorer.criteria.scoring import borrowed
from explorer.device import BatchSize, choose_device
from explorer.progress import silent
from explorer.sources import load_model, load_pair
from explorer.structure import analyse

_IMAGES = 20_000  # of the paper's ranking of ResNet-50
_TOLERANCE = 1e-4


def compare(
    name: str, module: nn.Module, data: Dataset, size: int, device: torch.device, repeats: int, batch: int = 50
) -> dict[str, Any]:
    """Both ways in turns."""
    structure = analyse(module, data[0][0][None], trial=False)
    found: dict[bool, list[Ranked]] = {}

    def way(reuse: bool) -> None:
        context = Context(module, structure, data, device, BatchSize(batch), 0, silent)
        found[reuse] = rank(context, size, reuse=reuse)

    with borrowed(module, device):
        plain, ours = fastest(lambda: way(False), lambda: way(True), repeats=repeats)
    for one, other in zip(found[True], found[False], strict=True):
        np.testing.assert_allclose(one.importance, other.importance, atol=_TOLERANCE)
    return {
        "model": name,
        "device": device.type,
        "samples": len(data),
        "size": size,
        "channels": sum(len(each.layer.units) for each in found[True]),
        "sets": sum(len(each.sets) for each in found[True]),
        "whole passes, s": plain,
        "ours, s": ours,
        "ratio": plain / ours,
    }


def digits(samples: int) -> tuple[nn.Module, Dataset]:
    model, task = load_pair("demo:resnet20-digits")
    return model.module, calibration_slice(task.calibration, samples, 0)


def noise(ref: str, pixels: int, samples: int) -> tuple[nn.Module, Dataset]:
    torch.manual_seed(0)
    shape = (3, pixels, pixels)
    module = load_model(ref, input_shape=shape).module
    return module, TensorDataset(torch.randn(samples, *shape), torch.zeros(samples))


def chain(width: int, samples: int) -> tuple[nn.Module, Dataset]:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for before in (3, width, width, width):
        layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
    module = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10)).eval()
    return module, TensorDataset(torch.randn(samples, 3, 16, 16), torch.zeros(samples))


def main() -> None:
    chosen = options(__doc__, samples=50, repeats=1, sweep=1, images=256)
    device, most = choose_device("auto"), chosen.samples
    repeats = chosen.repeats
    rows = [
        compare("demo:resnet20-digits", *digits(most), 2, device, repeats),
        compare("torchvision:resnet18", *noise("torchvision:resnet18", 64, most), 8, device, repeats),
    ]
    if device.type == "cuda":
        name = "torchvision:resnet50"
        row = compare(name, *noise(name, 224, chosen.images), 32, device, repeats, batch=128)
        rows.append(row)
        minutes = row["ours, s"] * _IMAGES / chosen.images / 60
        print(f"{name}, sets of 32: {minutes:.1f} minutes for {_IMAGES:,} images, scaled from {chosen.images}")
    if chosen.sweep:
        rows += [compare(f"chain of {width}", *chain(width, most), 4, device, repeats) for width in (16, 32, 64)]
        rows += [
            compare("chain of 32", *chain(32, samples), 4, device, repeats) for samples in (most // 2, most, 2 * most)
        ]
    ratios = {f"{row['model']}, {row['samples']} samples": row["ratio"] for row in rows}
    present(rows, ratios, as_json=chosen.json)


if __name__ == "__main__":
    main()
