"""Finds a model's groups and proves on the model itself that they can be cut."""

import copy
import random
import time
from dataclasses import replace

import torch
from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.structure.count import count
from explorer.structure.resolve import Resolution, resolve
from explorer.structure.running import Inputs, as_tuple, tensors_in, undisturbed
from explorer.structure.surgery import Removal, cut_module, mask_module
from explorer.structure.trace import trace
from explorer.structure.types import Block, Structure, inside

TRIAL_TIME = 60.0  # seconds for finding out which groups can't be cut
TOLERANCE = 1e-3  # of the largest logit; float32 noise is a hundred times smaller


def analyse(module: nn.Module, example: Inputs, *, trial: bool = True) -> Structure:
    """The coupled groups, blocked parts and cost polynomials of a model.

    The model runs once on `example` while channel ids are carried through every operator. Then,
    unless `trial` is False, a few units of every group are cut and masked: groups for which the cut model
    does not run, or gives other logits than the masked one, are reported as blocked instead of offered.

    Args:
        module: any network that is called with tensors; it is left as it was.
        example: one input, of shape (1, …); a tuple for several inputs.

    Raises:
        ExplorerError: the model does not run on the example, returns no tensors, or takes too long.
    """
    start = time.perf_counter()
    if any(tensor.shape[:1] not in ((), (1,)) for tensor in as_tuple(example)):
        raise ValueError("the example must be a batch of one")
    try:
        ledger = trace(module, example)
    except (RuntimeError, ValueError, AssertionError, TypeError) as error:
        size = " and ".join("×".join(map(str, tensor.shape[1:])) for tensor in as_tuple(example))
        raise ExplorerError(f"the model does not run on an input of {size}: {_first_line(error)}") from error
    resolution = resolve(ledger, module)
    refused: dict[str, str] = {}
    while trial and (failed := _failures(module, example, _structure(resolution, example, 0.0))):
        refused.update({part: reason for name, reason in failed.items() for part in _producers(resolution, name)})
        resolution = resolve(ledger, module, refused)
    structure = _structure(resolution, example, 0.0)
    blocks = _skippable(module, example, structure) if trial else structure.blocks
    return replace(structure, blocks=blocks, seconds=time.perf_counter() - start)


def _structure(resolution: Resolution, example: Inputs, seconds: float) -> Structure:
    shapes = [tuple(tensor.shape[1:]) for tensor in as_tuple(example)]
    shape = shapes[0] if isinstance(example, Tensor) else tuple(shapes)
    return Structure(resolution.groups, resolution.blocked, resolution.cost_model, shape, seconds, resolution.blocks)


def _producers(resolution: Resolution, name: str) -> list[str]:
    """What `resolve` should refuse so that a group is not offered."""
    group = resolution.groups[name]
    return [name] if group.kind == "head-dims" else [member.tensor for member in group.of_role("producer")]


def _failures(module: nn.Module, example: Inputs, structure: Structure) -> dict[str, str]:
    """Groups that can't be cut, with the reason; empty when a cut in every group works.

    Neighbouring groups lose different numbers of units, so that widths which must agree, or stay, show. They lose
    their first ones, and in a second cut their last one and others from anywhere, so that slices show whose bounds
    would have to move; of queries and keys half, since fewer would hardly change what is looked at. When the cut of
    all fails, the groups are halved until those that break it are found.
    """
    generator = random.Random(0)
    removals = {
        name: (tuple(range(count)), _scattered(group.units, group.units // 2 if group.contracted else count, generator))
        for i, (name, group) in enumerate(structure.groups.items())
        if (count := min(1 + i % 3, group.units - 1)) > 0
    }
    module = _awake(module)
    deadline = time.monotonic() + TRIAL_TIME
    failed: dict[str, str] = {}
    works: list[str] = []

    def separate(names: list[str]) -> None:
        """Add those of the groups that can be cut to `works`, the others to `failed`."""
        reason = "checking that it can be cut took too long"
        if time.monotonic() < deadline:
            cuts = ({name: removals[name][way] for name in [*works, *names]} for way in (0, 1))
            reason = next(filter(None, (_failure(module, example, structure, removal) for removal in cuts)), "")
        if not reason:
            works.extend(names)
        elif len(names) == 1:
            failed[names[0]] = reason
        else:
            separate(names[: len(names) // 2])
            separate(names[len(names) // 2 :])

    with undisturbed(module):
        if removals:
            separate(list(removals))
    return failed


def _skippable(module: nn.Module, example: Inputs, structure: Structure) -> dict[str, Block]:
    """The residual blocks without which the model runs and costs what the polynomials say.

    Those that lie within no other are tried together and halved until the others are found, then those inside them.
    """
    deadline = time.monotonic() + TRIAL_TIME
    good: set[str] = set()

    def separate(names: list[str]) -> None:
        if time.monotonic() < deadline and _runs_without(module, example, structure, names):
            good.update(names)
        elif len(names) > 1:
            separate(names[: len(names) // 2])
            separate(names[len(names) // 2 :])

    left = list(structure.blocks)
    while left:
        outer = [name for name in left if not any(inside(name, [other]) for other in left if other != name)]
        separate(outer)
        left = [name for name in left if name not in outer]
    return {name: block for name, block in structure.blocks.items() if name in good}


def _runs_without(module: nn.Module, example: Inputs, structure: Structure, blocks: list[str]) -> bool:
    try:
        return count(mask_module(module, structure, {}, blocks), example) == structure.cost(without=blocks)
    except Exception:  # any error of the model's own code means: not skippable
        return False


def _scattered(units: int, count: int, generator: random.Random) -> tuple[int, ...]:
    """The last unit, and `count` - 1 of the others."""
    return (*sorted(generator.sample(range(units - 1), count - 1)), units - 1)


def _awake(module: nn.Module) -> nn.Module:
    """A copy whose all-zero parameters are random: a head that starts at zero would hide every difference."""
    asleep = [parameter for parameter in module.parameters() if not parameter.any()]
    generator = torch.Generator().manual_seed(0)
    memo: dict[int, object] = {id(t): t for t in [*module.parameters(), *module.buffers()]}
    for parameter in asleep:
        values = 0.1 * torch.randn(parameter.shape, generator=generator)
        memo[id(parameter)] = nn.Parameter(values.to(parameter), requires_grad=parameter.requires_grad)
    return copy.deepcopy(module, memo) if asleep else module


def _failure(module: nn.Module, example: Inputs, structure: Structure, removal: Removal) -> str:
    """Why these units can't be cut; empty if they can."""
    smaller, _ = cut_module(module, structure, removal)
    try:
        cut = _logits(smaller(*as_tuple(example)))
    except Exception as error:  # any error of the model's own code means: not cuttable
        return f"the cut model does not run: {_first_line(error)}"
    exact = {name: units for name, units in removal.items() if structure.groups[name].exact}
    if len(exact) < len(removal):
        return _failure(module, example, structure, exact) if exact else ""
    masked = _logits(mask_module(module, structure, removal)(*as_tuple(example)))
    if not _agree(cut, masked):
        return "the cut model computes something else than the masked one"
    return ""


def _logits(out: object) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors_in(out)])


def _agree(cut: Tensor, masked: Tensor) -> bool:
    """Whether all outputs are close, as seen from the largest; what is infinite or no number must be so in both."""
    largest = float(masked.nan_to_num(0, 0, 0).abs().max()) if masked.numel() else 0.0
    return cut.shape == masked.shape and torch.allclose(cut, masked, 0, TOLERANCE * largest, equal_nan=True)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__
