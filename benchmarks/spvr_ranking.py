"""Ranking sets of channels by their masked softmax change: one whole forward pass for each set against our way.

    python benchmarks/spvr_ranking.py [--json] [--samples 50] [--repeats 1] [--sweep 1]
    python benchmarks/spvr_ranking.py --model torchvision:resnet50 --pixels 224 --size 32 --samples 512 --device cuda

All ways mask the same sets on the same samples, and their scores are asserted to be equal: whole passes; passes that
begin behind the mask, which our ranking was made of first; and ours, in which several masks share such a pass. A ratio
is the time of the whole passes over that of ours, which includes recording.

Without a model, the two that the ranking is judged by are measured, and the sweep shows how the cost grows: with the
width of a chain of four convolutions, and with the samples. A `model` is given random images of so many `pixels`, in
batches of `batch`; our time for 20,000 of them, the number that the paper ranks ResNet-50 with in 30 minutes, is
scaled from that for the samples. ``--whole 0`` leaves out the whole passes, which take longest: a ratio is then that
of one mask a pass to several.
"""

from typing import Any

import numpy as np
import torch
from sidebyside import fastest, options, present
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from explorer.criteria.masking import Ranked, rank
from explorer.criteria.tools.context import Context, calibration_slice
from explorer.criteria.tools.masked_passes import MOST
from explorer.criteria.tools.scoring import prepared
from explorer.device import BatchSize, choose_device
from explorer.progress import silent
from explorer.sources import load_model, load_pair
from explorer.structure import analyse

_IMAGES = 20_000  # of the paper's ranking of ResNet-50
_TOLERANCE = 1e-3  # of the largest importance of a layer, which may itself be below 1e-3; rounding reaches 1e-5 of it
_LOOSEST = 1e-4
_WIDTHS = (16, 32, 64)
WHOLE, SINGLE, OURS = "whole passes, s", "one mask a pass, s", "ours, s"
_WAYS: dict[str, dict[str, Any]] = {WHOLE: {"reuse": False}, SINGLE: {"masks": 1}, OURS: {"masks": MOST}}


def compare(
    name: str,
    module: nn.Module,
    data: Dataset,
    size: int,
    device: torch.device,
    *,
    repeats: int,
    batch: int = 50,
    whole: bool = True,
) -> dict[str, Any]:
    """All ways in turns."""
    structure = analyse(module, data[0][0][None], trial=False)
    found: dict[str, list[Ranked]] = {}

    def way(title: str) -> None:
        context = Context(module, structure, data, device, BatchSize(batch), 0, silent)
        found[title] = rank(context, size, **_WAYS[title])

    titles = [title for title in _WAYS if whole or title != WHOLE]
    with prepared(module, device):
        _warm(module, data, batch, device)
        seconds = fastest(*[lambda title=title: way(title) for title in titles], repeats=repeats)
    taken = dict(zip(titles, seconds, strict=True))
    for title in titles:
        for one, other in zip(found[OURS], found[title], strict=True):
            nearest = min(_LOOSEST, _TOLERANCE * other.importance.max())
            np.testing.assert_allclose(one.importance, other.importance, rtol=0, atol=nearest)
    row = {
        "model": name,
        "device": device.type,
        "samples": len(data),
        "size": size,
        "channels": sum(len(each.layer.units) for each in found[OURS]),
        "sets": sum(len(each.sets) for each in found[OURS]),
        **taken,
        "several masks": taken[SINGLE] / taken[OURS],
    }
    return {**row, "ratio": taken[WHOLE] / taken[OURS]} if whole else row


@torch.inference_mode()
def _warm(module: nn.Module, data: Dataset, batch: int, device: torch.device) -> None:
    """One plain pass: the way that is timed first would pay for a cold start alone."""
    images, _ = next(iter(DataLoader(data, batch)))
    module(images.to(device))


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


def growth(rows: list[dict[str, Any]], by: str) -> str:
    """With which power of a column the time of every way grows, by least squares of logarithms."""
    powers = [
        f"{title.removesuffix(', s')} to the {np.polyfit(*np.log([[row[by], row[title]] for row in rows]).T, 1)[0]:.2f}"
        for title in _WAYS
        if title in rows[0]
    ]
    return f"with {by}: {', '.join(powers)}"


def main() -> None:
    chosen = options(
        __doc__, samples=50, repeats=1, sweep=1, whole=1, device="auto", model="", pixels=224, size=32, batch=128
    )
    most, way = chosen.samples, {"repeats": chosen.repeats, "whole": bool(chosen.whole)}
    device = choose_device(chosen.device)

    def measure(name: str, pair: tuple[nn.Module, Dataset], size: int, batch: int = 50) -> dict[str, Any]:
        return compare(name, *pair, size, device, batch=batch, **way)

    notes = []
    if chosen.model:
        rows = [measure(chosen.model, noise(chosen.model, chosen.pixels, most), chosen.size, chosen.batch)]
        minutes = rows[0][OURS] * _IMAGES / most / 60
        notes.append(f"{minutes:.1f} minutes for {_IMAGES:,} images, scaled from {most:,}")
    else:
        rows = [
            measure("demo:resnet20-digits", digits(most), 2),
            measure("torchvision:resnet18", noise("torchvision:resnet18", 64, most), 8),
        ]
        if chosen.sweep:
            wide = [measure(f"chain of {width}", chain(width, most), 4) for width in _WIDTHS]
            long = [measure("chain of 32", chain(32, samples), 4) for samples in (most // 2, most, 2 * most)]
            rows += [*wide, *long]
            notes += [growth(wide, "channels"), growth(long, "samples")]
    ratios = {f"{row['model']}, {row['samples']} samples": row.get("ratio", row["several masks"]) for row in rows}
    present(rows, ratios, as_json=chosen.json)
    if not chosen.json:
        print("\n".join(notes))


if __name__ == "__main__":
    main()
