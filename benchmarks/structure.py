"""Time to a model's groups: propagated identities against torch-pruning's dependency graph, one run.

    python benchmarks/structure.py [--json] [--models resnet50,densenet121] [--pixels 224] [--limit 60]

A ratio is torch-pruning's time over ours, on one and the same network, both without a trial cut; `over` is what
tracing takes beyond one plain forward pass, and the proof is compared with tracing and ten of them. Where this project
replaces layers of torchvision's network, `stock` is torch-pruning's time on the network as torchvision has it.
"""

import signal
import warnings
from types import FrameType
from typing import Any

import torch
import torch_pruning as tp
from sidebyside import fastest, options, present
from torch import nn
from torchvision.models import get_model

from explorer.sources import build
from explorer.structure import analyse

MODELS = "mobilenet_v3_large,resnet50,convnext_tiny,vit_b_16,densenet121"


def theirs(module: nn.Module, example: torch.Tensor) -> int:
    """Groups found by building the dependency graph and listing all its groups."""
    outputs = [layer for layer in module.modules() if isinstance(layer, nn.Linear | nn.Conv2d)][-1]
    graph = tp.DependencyGraph().build_dependency(module, example)
    return sum(1 for _ in graph.get_all_groups(ignored_layers=[outputs]))


def once(module: nn.Module, example: torch.Tensor, limit: int) -> int | str:
    """How many groups torch-pruning finds, or what keeps it from that."""

    def late(signum: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"not done after {limit} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(limit)
    try:
        return theirs(module, example)
    except Exception as error:  # whatever it is, it is the row's result
        return f"fails: {str(error).strip().splitlines()[0][:80] if str(error).strip() else type(error).__name__}"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def time_stock(name: str, module: nn.Module, example: torch.Tensor, limit: int) -> float | str:
    """Seconds on torchvision's own network; "same" where nothing in it is replaced."""
    stock = get_model(name).eval()
    if {type(layer) for layer in stock.modules()} == {type(layer) for layer in module.modules()}:
        return "same"
    found = once(stock, example, limit)
    return found if isinstance(found, str) else fastest(lambda: theirs(stock, example), repeats=1)[0]


def compare(name: str, pixels: int, repeats: int, limit: int) -> dict[str, Any]:
    module = build({"family": "torchvision", "name": name, "arguments": {}}).eval()
    example = torch.randn(1, 3, pixels, pixels)

    def forward() -> None:
        with torch.no_grad():
            module(example)

    ways = [forward, lambda: analyse(module, example, trial=False), lambda: analyse(module, example)]
    found = once(module, example, limit)
    if isinstance(found, int):
        ways.append(lambda: theirs(module, example))
    plain, traced, proven, *library = fastest(*ways, repeats=repeats)
    structure = analyse(module, example)
    return {
        "model": name,
        "groups": len(structure.groups),
        "forward s": plain,
        "traced s": traced,
        "over s": traced - plain,
        "with trial cut s": proven,
        "proof over tracing and ten forwards": (proven - traced) / (traced + 10 * plain),
        "forwards of analysis": structure.forwards,
        "torch-pruning groups": found if library else "–",
        "torch-pruning s": library[0] if library else found,
        "ratio": library[0] / traced if library else "–",
        "stock s": time_stock(name, module, example, limit),
    }


def main() -> None:
    chosen = options(__doc__, models=MODELS, pixels=224, repeats=3, limit=60)
    warnings.simplefilter("ignore")
    rows = [compare(name, chosen.pixels, chosen.repeats, chosen.limit) for name in chosen.models.split(",")]
    ratios = {row["model"]: row["ratio"] for row in rows if row["ratio"] != "–"}
    present(rows, ratios, as_json=chosen.json)


if __name__ == "__main__":
    main()
