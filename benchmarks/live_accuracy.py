"""Accuracy after a drag: resumed from the first change, against evaluating all of the masked model, one run.

    python benchmarks/live_accuracy.py [--json] [--models demo:resnet20-digits,torchvision:resnet50] [--images 16]

Both ways evaluate masks on the same slice in batches of the same size, the making of the mask included; a drag removes
other units of one group than the drag before. `--images` is how many images of noise models get that have no data
of their own, `--memory` the MiB that intermediate results may take, `--groups` how many groups are dragged, evenly
spaced from the first to the last. `reused` is the fraction of operations that were not done again.
"""

import statistics
import time
from typing import Any

import numpy as np
import torch
from sidebyside import fastest, options, present
from torch.utils.data import Dataset, TensorDataset

from explorer.evaluation import Live
from explorer.pruning import Plan, mask
from explorer.sources import LoadedModel, load_model, task_for
from explorer.structure import Structure, analyse
from explorer.tasks import evaluate

MODELS = "demo:resnet20-digits,torchvision:resnet50"


class Drags:
    """A plan that changes with every drag."""

    def __init__(self, structure: Structure) -> None:
        self._groups, self._drags, self._removed = structure.groups, 0, {}

    def next(self, name: str) -> Plan:
        units = self._groups[name].units
        self._drags += 1
        self._removed[name] = tuple((self._drags + unit) % units for unit in range(max(1, units // 4)))
        return Plan("", self._removed)


def images_for(model: LoadedModel, number: int) -> Dataset:
    if model.data is not None:
        return task_for(model, model.data).validation
    return TensorDataset(model.example(number), torch.arange(number) % model.classes)


def compare(ref: str, device: torch.device, chosen: Any) -> list[dict[str, Any]]:
    model = load_model(ref)
    data, structure = images_for(model, chosen.images), analyse(model.module, model.example())
    module, drags = model.module.to(device), Drags(structure)
    live = Live(module, structure, data, device=device, memory=chosen.memory * 2**20)
    start = time.perf_counter()
    live.evaluate(Plan(""))
    learning = time.perf_counter() - start
    exact = [name for name, group in structure.groups.items() if group.exact and group.units > 1]
    names = [exact[place] for place in np.linspace(0, len(exact) - 1, chosen.groups).round().astype(int)]
    rows = []
    for place, name in enumerate(names):
        reused = []

        def resumed(name: str = name, reused: list[float] = reused) -> None:
            reused.append(live.evaluate(drags.next(name)).reused)

        def plain(name: str = name) -> None:
            evaluate(mask(module, structure, drags.next(name)), data, device=device, batch_size=live.batch_size)

        resumed()  # so that the first drag, too, only changes its group
        ours, theirs = fastest(resumed, plain, repeats=chosen.repeats)
        where = {0: "first", len(names) // 2: "middle", len(names) - 1: "last"}.get(place, "")
        rows.append({"model": ref.partition(":")[2], "device": device.type, "place": where, "group": name})
        rows[-1] |= {"resumed s": ours, "plain s": theirs, "ratio": ours / theirs, "reused": reused[-1]}
    return [row | {"MiB": live.resident_bytes / 2**20, "first evaluation s": learning} for row in rows]


def main() -> None:
    chosen = options(__doc__, models=MODELS, images=16, memory=256, groups=9, repeats=3)
    devices = [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]
    rows, ratios = [], {}
    for ref in chosen.models.split(","):
        for device in devices:
            found = compare(ref, device, chosen)
            title = f"{found[0]['model']} {device.type}"
            ratios |= {f"{title} {row['place']}": row["ratio"] for row in found if row["place"]}
            ratios[f"{title} median group"] = statistics.median(row["ratio"] for row in found)
            rows += found
    present(rows, ratios, as_json=chosen.json)


if __name__ == "__main__":
    main()
