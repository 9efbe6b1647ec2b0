"""Time to a model's groups: propagated identities against torch-pruning's dependency graph, one run.

    python benchmarks/structure.py [--json] [--models resnet50,densenet121] [--pixels 224]

A ratio is torch-pruning's time over ours; `over` is what the analysis takes beyond one plain forward pass.
"""

import warnings

import torch
import torch_pruning as tp
from sidebyside import fastest, options, present
from torch import nn

from explorer.sources import build
from explorer.structure import analyse

MODELS = "resnet18,resnet50,mobilenet_v3_large,densenet121,densenet201,convnext_tiny,efficientnet_b0,vit_b_32"


def theirs(module: nn.Module, example: torch.Tensor) -> int:
    """Groups found by building the dependency graph and listing all its groups."""
    outputs = [layer for layer in module.modules() if isinstance(layer, nn.Linear | nn.Conv2d)][-1]
    graph = tp.DependencyGraph().build_dependency(module, example)
    return sum(1 for _ in graph.get_all_groups(ignored_layers=[outputs]))


def main() -> None:
    chosen = options(__doc__, models=MODELS, pixels=224, repeats=3)
    warnings.simplefilter("ignore")
    rows, ratios = [], {}
    for name in chosen.models.split(","):
        module = build({"family": "torchvision", "name": name, "arguments": {}}).eval()
        example = torch.randn(1, 3, chosen.pixels, chosen.pixels)

        def forward(module: nn.Module = module, example: torch.Tensor = example) -> None:
            with torch.no_grad():
                module(example)

        plain, traced, proven, library = fastest(
            forward,
            lambda m=module, x=example: analyse(m, x, trial=False),
            lambda m=module, x=example: analyse(m, x),
            lambda m=module, x=example: theirs(m, x),
            repeats=chosen.repeats,
        )
        ratios[name] = library / traced
        rows.append(
            {
                "model": name,
                "groups": len(analyse(module, example, trial=False).groups),
                "forward s": plain,
                "traced s": traced,
                "over s": traced - plain,
                "with trial cut s": proven,
                "torch-pruning s": library,
                "ratio": ratios[name],
            }
        )
    present(rows, ratios, as_json=chosen.json)


if __name__ == "__main__":
    main()
