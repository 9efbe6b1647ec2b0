"""What zeros save, and what a person should know about them."""

import zlib
from collections.abc import Iterator
from typing import Any

import safetensors.torch
from torch import Tensor, nn

from explorer.evaluation import METADATA, weights
from explorer.evaluation.nonzero import nonzero, semi_structured
from explorer.methods.tools import steps
from explorer.methods.tools.sparse_masks import Rule, zeros
from explorer.pruning.packing import packed
from explorer.pruning.unstructured import Masks, prunable, sparsity

NO_SPEED = "zeros don't make a network faster on dense kernels: they save room when packed, and time on sparse hardware"


def saved(module: nn.Module, masks: Masks, example: Tensor) -> dict[str, int]:
    """What a measurement has more: see `nonzero`, and with masks the `compressed_bytes` of the packed file."""
    counts = nonzero(module, prunable(module), example)
    return counts | ({"compressed_bytes": len(packed(weights(module), masks))} if masks else {})


def account(
    module: nn.Module,
    masks: Masks,
    rule: Rule,
    subject: steps.Subject,
    asked: float | None,
    measurement: dict[str, Any],
) -> dict[str, Any]:
    """What the zeros save: in theory, on disk, in time.

    `sparsity` is of the `weights` that could become zero; `deflated_bytes` the dense file, compressed by zlib;
    `semi_structured` see `explorer.evaluation.nonzero`.

    Args:
        module: the sparse one.
        masks: which of its weights stay.
        rule: by which they were chosen.
        subject: with the whole model.
        asked: the sparsity that was asked for.
        measurement: of the module.
    """
    if rule.pattern == (2, 4):
        latency = semi_structured(module, subject.loaded.example(), subject.device)
    else:
        latency = {"measured": False, "reason": "zeros without the 2:4 pattern are skipped by no dense kernel"}
    return {
        "asked": asked,
        "sparsity": sparsity(masks),
        "weights": sum(mask.numel() for mask in masks.values()),
        "zeros": zeros(masks),
        **{name: measurement[name] for name in ("params", "nonzero_params", "macs", "nonzero_macs")},
        **{name: measurement[name] for name in ("size_bytes", "compressed_bytes")},
        "deflated_bytes": len(zlib.compress(safetensors.torch.save(weights(module), METADATA))),
        "semi_structured": latency,
        "layers": [
            {"name": name, "shape": list(mask.shape), "sparsity": 1 - int(mask.sum()) / mask.numel()}
            for name, mask in masks.items()
        ],
    }


def remarks(masks: Masks, rule: Rule) -> Iterator[str]:
    """What a person should know about the zeros."""
    yield NO_SPEED
    if empty := [name.rpartition(".")[0] for name, mask in masks.items() if not mask.any()]:
        yield f"no weight is left in {', '.join(empty)}: ask for less, for --set scope=layer, or lock it"
    if rule.pattern:
        keep, of = rule.pattern
        if whole := [name.rpartition(".")[0] for name, mask in masks.items() if mask.all()]:
            yield f"{', '.join(whole)} stay dense: their inputs are no multiple of {of}, as {keep}:{of} needs"
