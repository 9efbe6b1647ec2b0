"""The cost of a plan in closed form against cutting the network and counting what is left.

    python benchmarks/cost_preview.py [--json] [--models demo:resnet20-digits,torchvision:resnet50]

A ratio is the time in closed form over that of cutting and counting, for one random plan on which both agree.
"""

import random
from typing import Any

from sidebyside import fastest, options, present

from explorer.pruning import Plan, cut
from explorer.sources import load_model
from explorer.structure import analyse, count

MODELS = "demo:resnet20-digits,demo:vit-digits,torchvision:resnet50,torchvision:densenet121"


def compare(ref: str) -> dict[str, Any]:
    model = load_model(ref)
    structure = analyse(model.module, model.example(), trial=False)
    generator = random.Random(0)
    remove = {name: tuple(range(generator.randrange(group.units))) for name, group in structure.groups.items()}
    plan = Plan(ref, remove)
    kept, example = plan.kept(structure), model.example()

    def counted() -> Any:
        return count(cut(model.module, structure, plan).module, example)

    if structure.cost(kept) != counted():
        raise SystemExit(f"{ref}: the closed form differs from the count")
    closed, cutting = fastest(lambda: structure.cost(kept), counted)
    row = {"model": ref, "groups": len(structure.groups), "closed form, ms": 1000 * closed}
    return {**row, "cut and count, ms": 1000 * cutting, "ratio": f"{closed / cutting:.5f}", "_ratio": closed / cutting}


def main() -> None:
    chosen = options(__doc__, models=MODELS)
    rows = [compare(ref) for ref in chosen.models.split(",")]
    ratios = {row["model"]: row.pop("_ratio") for row in rows}
    present(rows, ratios, as_json=chosen.json)


if __name__ == "__main__":
    main()
