"""Time to score a model's units: every criterion in plain forward passes over the same calibration data, one run.

    python benchmarks/scoring.py [--json] [--models demo:resnet20-digits] [--images 128] [--criteria flow,chip]

`forwards` is a criterion's time over that of one plain pass; the ways take turns. Feature maps are also looked at in
the straightforward way, one singular value decomposition per channel and map, on `--maps` of the images: `direct` is
that way's time over ours for the same maps, the network's pass left out of both. Shapley values take a pass for every
unit: they get `--few` images, and are measured once.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from sidebyside import fastest, options, present
from torch import Tensor
from torch.utils.data import Dataset, Subset, TensorDataset

from explorer.criteria import CRITERIA, Context, score
from explorer.criteria.chip import nuclear_changes
from explorer.criteria.hrank import matrix_ranks
from explorer.criteria.tools.gauges import all_gauges, observe
from explorer.device import BatchSize
from explorer.errors import ExplorerError
from explorer.progress import silent
from explorer.sources import load_model, task_for
from explorer.structure import Structure, analyse

BATCH = 100


def ranks_one_by_one(maps: Tensor) -> Tensor:
    """The rank of every feature map of one input (channels, height, width), as HRank's own code finds it."""
    return torch.tensor([torch.linalg.matrix_rank(channel).item() for channel in maps])


def changes_one_by_one(maps: Tensor) -> Tensor:
    """CHIP's scores of one input (channels, height, width), one decomposition for every channel left out."""
    rows = maps.flatten(1)
    whole = torch.linalg.svdvals(rows).sum()
    left = [torch.linalg.svdvals(torch.cat([rows[:row], rows[row + 1 :]])).sum() for row in range(len(rows))]
    return whole - torch.stack(left)


DIRECT: dict[str, tuple[Callable, Callable]] = {
    "hrank": (matrix_ranks, ranks_one_by_one),
    "chip": (lambda maps: nuclear_changes(maps.flatten(2)), changes_one_by_one),
}


def feature_maps(context: Context) -> list[Tensor]:
    """The maps (inputs, channels, height, width) that pass each gauge, larger than one entry."""
    found: list[Tensor] = []

    def measure(_gauge: Any, activation: Tensor, *_: object) -> dict:
        if activation.ndim == 4 and activation[0, 0].numel() > 1:
            found.append(activation.clone())
        return {}

    observe(context, all_gauges(context), measure)
    return found


def direct(name: str, maps: list[Tensor]) -> float:
    """How many times as long the straightforward way takes."""
    ours, theirs = DIRECT[name]
    one, other = fastest(
        lambda: [ours(each) for each in maps], lambda: [theirs(one) for each in maps for one in each], repeats=2
    )
    return other / one


def compare(ref: str, chosen: Any) -> list[dict[str, Any]]:
    model = load_model(ref)
    data = calibration(model, chosen.images)
    structure, module = analyse(model.module, model.example(), trial=False), model.module.eval()
    inputs = torch.stack([data[index][0] for index in range(len(data))])

    def forward() -> None:
        with torch.inference_mode():
            for batch in inputs.split(BATCH):
                module(batch)

    forward()
    context = Context(
        module, structure, Subset(data, range(chosen.maps)), torch.device("cpu"), BatchSize(BATCH), 0, silent
    )
    maps = feature_maps(context)
    names = chosen.criteria.split(",") if chosen.criteria else list(CRITERIA)
    rows = []
    for name in names:
        dear = CRITERIA[name].forwards_per_unit > 0
        number = chosen.few if dear else len(data)
        seconds = timed(name, module, structure, Subset(data, range(number)), 1 if dear else chosen.repeats, forward)
        row = {"model": ref.partition(":")[2], "criterion": name, "images": number}
        if isinstance(seconds, str):
            rows.append(row | {"forward s": "–", "seconds": "–", "forwards": seconds, "direct": "–"})
            continue
        plain, taken = seconds
        plain *= number / len(data)
        ratio = direct(name, maps) if name in DIRECT and maps else "–"
        rows.append(row | {"forward s": plain, "seconds": taken, "forwards": taken / plain, "direct": ratio})
    return rows


def calibration(model: Any, images: int) -> Dataset:
    if model.data is None:
        return TensorDataset(model.example(images), torch.arange(images) % model.classes)
    data = task_for(model, model.data).calibration
    loaded = [data[index] for index in range(min(images, len(data)))]  # so that reading them is not in the times
    return TensorDataset(torch.stack([image for image, _ in loaded]), torch.tensor([int(label) for _, label in loaded]))


def timed(
    name: str, module: Any, structure: Structure, data: Dataset, repeats: int, forward: Callable
) -> tuple[float, float] | str:
    """Seconds of a plain pass and of the criterion, or why it does not apply."""

    def way() -> None:
        score(name, module, structure, data, device="cpu", batch_size=BATCH)

    try:
        started = time.perf_counter()
        way()
        if time.perf_counter() - started > 60:
            repeats = 1
    except ExplorerError as error:
        return str(error).partition("(")[0].strip()[:40]
    return tuple(fastest(forward, way, repeats=repeats))


def main() -> None:
    chosen = options(__doc__, models="demo:resnet20-digits", images=128, maps=16, few=4, repeats=3, criteria="")
    rows = [row for ref in chosen.models.split(",") for row in compare(ref, chosen)]
    ratios = {f"{row['model']} {row['criterion']}": row["forwards"] for row in rows if row["seconds"] != "–"}
    ratios |= {f"{row['model']} {row['criterion']} direct": row["direct"] for row in rows if row["direct"] != "–"}
    present(rows, ratios, as_json=chosen.json)


if __name__ == "__main__":
    main()
