"""Weights that were found in a file, on their way into their network."""

import torch
from torch import nn

from explorer.sources.networks.state_dicts import few, load_weights, shown
from explorer.sources.weights.fits import Fit
from explorer.sources.weights.held import Held
from explorer.sources.weights.misfits import misfit, odd_among


def require_whole(held: Held, outputs: int) -> None:
    """Nothing, where the file has the network's weights.

    Args:
        outputs: how many the network has.

    Raises:
        ExplorerError: it has not; see `misfit`.
    """
    if not held.is_whole:
        raise misfit(held, outputs)


def put_in(held: Held, fit: Fit, module: nn.Module) -> None:
    """Reads the weights and gives them to the network.

    Raises:
        ExplorerError: the file is damaged, or one of the tensors is of a kind that can't be a weight.
    """
    if odd := odd_among(fit, held.container.file):
        raise odd
    parts = {part: tensor for source in fit.sources.values() for part, tensor in source.parts.items()}
    values = held.container.read(parts)
    tensors = {name: source.make(*(values[part] for part in source.parts)) for name, source in fit.sources.items()}
    load_weights(module, tensors, held.container.file)


def told(held: Held, fit: Fit) -> list[str]:
    """What a person should know of how the weights came out of their file, in clauses."""
    clauses = [f"found under {shown(fit.prefix)}"] if fit.prefix else []
    if passed := fit.passed_over(held.network):
        clauses.append(f"passed over within names: {few(sorted(passed))}")
    if fit.ordered:
        clauses.append(f"the names of {len(fit.ordered)} tensors differ and were matched by order and shape")
    clauses += [
        f"{how} worked into the weights" for how in sorted({source.how for source in fit.sources.values()} - {""})
    ]
    kinds = {part.dtype for source in fit.sources.values() for part in source.parts.values()}
    if cast := sorted(str(kind)[6:] for kind in kinds if kind.is_floating_point and kind != torch.float32):
        clauses.append(f"stored in {' and '.join(cast)}, used in float32")
    if rest := held.left_over:
        clauses.append(f"left out {len(rest)} tensor{'s' if len(rest) > 1 else ''} ({few(rest)})")
    return clauses
