"""Repair without training against forward passes of its calibration images: how many it is worth.

    python benchmarks/repair.py [--json] [--threads 1] [--kept 0.5] [--repeats 2]
    python benchmarks/repair.py --model torchvision:resnet50 --pixels 224 --samples 64

Both go over the same images: the whole network forward, in batches of 16, and least squares in the cut network. A
ratio is the time of the repair over that of the forward passes; it holds two of them, one of each network. Without a
model the bundled networks are repaired on as many images as the app takes. A `model` is given random images.
"""

from collections.abc import Callable
from typing import Any

import torch
from sidebyside import fastest, options, present
from torch import nn
from torch.utils.data import TensorDataset

from explorer.batches import fetch
from explorer.criteria import score
from explorer.pruning import cut, plan_from_budget
from explorer.recovery import Origin, reconstruct
from explorer.recovery.portion import repair_samples
from explorer.sources import load_model, load_pair
from explorer.structure import Structure, analyse

CPU = torch.device("cpu")
BUNDLED = ("demo:resnet20-shapes", "demo:vgg-shapes", "demo:vit-shapes")
BATCH = 16


def measured(
    name: str, module: nn.Module, structure: Structure, inputs: torch.Tensor, kept: float, repeats: int
) -> dict[str, Any]:
    """A row: seconds of a forward pass of all images, and of a repair of the network with a share of every group."""
    scores = score("group-norm", module, structure, device=CPU).groups
    plan = plan_from_budget(structure, scores, dict.fromkeys(structure.groups, 1 - kept), name)
    origin, data = Origin(module, structure, plan), TensorDataset(inputs, torch.zeros(len(inputs)).long())
    smaller = [cut(module, structure, plan).module for _ in range(repeats)]
    module.eval()
    forward, repair = fastest(
        lambda: _forward(module, inputs),
        lambda: reconstruct(smaller.pop(), data, origin, device=CPU),
        repeats=repeats,
    )
    times = {"forward, s": forward, "repair, s": repair, "ratio": repair / forward}
    return {"network": name, "images": len(inputs)} | times


def _forward(module: Callable[[torch.Tensor], Any], inputs: torch.Tensor) -> None:
    with torch.no_grad():
        for batch in inputs.split(BATCH):
            module(batch)


def main() -> None:
    asked = options(__doc__ or "", threads=1, kept=0.5, repeats=2, model="", pixels=224, samples=64)
    torch.set_num_threads(asked.threads)
    rows = []
    for ref in [asked.model] if asked.model else BUNDLED:
        if asked.model:
            module = load_model(ref).module
            generator = torch.Generator().manual_seed(0)
            inputs = torch.randn(asked.samples, 3, asked.pixels, asked.pixels, generator=generator)
            structure = analyse(module, inputs[:1])
        else:
            model, task = load_pair(ref, None)
            module, structure = model.module, analyse(model.module, model.example())
            chosen = repair_samples(task.calibration, structure.cost().macs)
            inputs = fetch(chosen, torch.arange(len(chosen)))[0]
        rows.append(measured(ref, module, structure, inputs, asked.kept, asked.repeats))
    present(rows, {row["network"]: row["ratio"] for row in rows}, as_json=asked.json)


if __name__ == "__main__":
    main()
