"""Finds a model's groups and proves on the model itself that they can be cut."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor, nn

from explorer.errors import ExplorerError, one_line
from explorer.structure.count import count
from explorer.structure.equal_widths import EqualWidths, equal_sections, equal_widths, unite
from explorer.structure.ledger import Ledger
from explorer.structure.proof import Proof
from explorer.structure.resolve import Resolution, resolve
from explorer.structure.running import Inputs, as_tuple
from explorer.structure.surgery import mask_module
from explorer.structure.trace import trace
from explorer.structure.types import Block, Blocked, Cost, CostModel, Product, Structure, inside

MOST_TRIALS = 20  # passes for finding out which residual blocks can be taken out
MOST_PASSES = 60  # of all kinds


def analyse(
    module: nn.Module,
    example: Inputs,
    *,
    trial: bool = True,
    keep_outputs: bool = True,
    attributes: Sequence[str] = (),
) -> Structure:
    """The coupled groups, blocked parts and cost polynomials of a model.

    The model runs once on `example` while channel ids are carried through every operator. Then,
    unless `trial` is False, a few units of every group are cut and masked (see `explorer.structure.proof`): groups for
    which the cut model does not run, costs something else than said, or computes something else than the masked one,
    are reported as blocked instead of offered. Where plain attributes of the code repeat a width that was cut, they are
    found by trial and follow.

    Args:
        module: any network that is called with tensors; it is left as it was.
        example: one input, of shape (1, …); a tuple for several inputs. Of a larger batch the first is taken.
        keep_outputs: whether all channels of the outputs stay; if not, the features of a backbone may be narrowed, too.
        attributes: paths of plain attributes that may repeat a width, beside those that the code is seen to read, as
            patterns: ``"*.attn.inner_dim"``.

    Raises:
        ExplorerError: the model itself does not run on the example, or returns no tensors.
    """
    start = time.perf_counter()
    example = _first(example)
    try:
        ledger = trace(module, example, keep_outputs=keep_outputs)
        resolution = resolve(ledger, module)
    except ExplorerError:
        raise
    except Exception as error:
        cost = _plain_cost(module, example)
        return _unfollowed(module, example, cost, one_line(error), time.perf_counter() - start)
    if not trial:
        return replace(_structure(resolution, example), seconds=time.perf_counter() - start, forwards=1.0)
    proof = Proof(module, example, ledger, attributes)
    if _structure(resolution, example).cost() != proof.counted():
        reason = "what it multiplies is not what was followed"
        return _unfollowed(module, example, _plain_cost(module, example), reason, time.perf_counter() - start)
    resolution = _proven(module, example, ledger, resolution, proof)
    structure = proof.completed(_structure(resolution, example))
    most = min(MOST_TRIALS, int(MOST_PASSES - 1 - proof.forwards))
    blocks, passes = _skippable(module, example, structure, most)
    forwards = 1 + proof.forwards + passes
    return replace(structure, blocks=blocks, seconds=time.perf_counter() - start, forwards=round(forwards, 1))


def _proven(module: nn.Module, example: Inputs, ledger: Ledger, resolution: Resolution, proof: Proof) -> Resolution:
    """A resolution all of whose groups can be cut."""
    refused: dict[str, str] = {}
    tried: set[tuple[str, int, str]] = set()  # modules whose channels were tied, how many, and how
    failed = proof.failures(resolution, _structure(resolution, example))
    while failed:
        whole = [name for name in failed if resolution.groups[name].kind != "head-dims"]
        pairs = _untried(equal_sections(ledger, resolution, whole), tried, "sections")
        pairs = pairs or _untried(equal_widths(ledger, resolution, whole), tried, "widths")
        any_untried = bool(pairs)
        known = len(ledger.edges), len(ledger.ties)
        while pairs:
            unite(ledger, pairs)
            tied = resolve(ledger, module, refused)
            still = proof.failures(tied, _structure(tied, example))
            good = [pair for pair in pairs if not _fails(tied, pair, still)]
            if good == pairs:
                resolution, failed = tied, still
                break
            pairs = good
            del ledger.edges[known[0] :], ledger.ties[known[1] :]
        else:
            if any_untried:  # there may be another way to tie them
                continue
            refused.update({part: reason for name, reason in failed.items() for part in _producers(resolution, name)})
            resolution = resolve(ledger, module, refused)
            failed = proof.failures(resolution, _structure(resolution, example))
    return resolution


def _untried(pairs: Sequence[EqualWidths], tried: set[tuple[str, int, str]], how: str) -> list[EqualWidths]:
    """Those whose channels were not yet tied like this."""
    left = [pair for pair in pairs if (pair.module, len(pair.inner), how) not in tried]
    tried |= {(pair.module, len(pair.inner), how) for pair in left}
    return left


def _fails(resolution: Resolution, pair: EqualWidths, failed: Mapping[str, str]) -> bool:
    """Whether channels that were tied are in a group that can't be cut, or in none."""
    units = resolution.units
    met = set(units.group[units.of[pair.inner]].tolist())
    return -1 in met or any(resolution.names[group] in failed for group in met)


def _first(example: Inputs) -> Inputs:
    firsts = tuple(tensor[:1] if tensor.dim() else tensor for tensor in as_tuple(example))
    return firsts[0] if isinstance(example, Tensor) else firsts


def _plain_cost(module: nn.Module, example: Inputs) -> Cost:
    """A count of the model as it is.

    Raises:
        ExplorerError: it does not run.
    """
    try:
        return count(module, example)
    except Exception as error:
        size = " and ".join("×".join(map(str, tensor.shape[1:])) for tensor in as_tuple(example))
        raise ExplorerError(f"the model does not run on an input of {size}: {one_line(error)}") from error


def _unfollowed(module: nn.Module, example: Inputs, cost: Cost, reason: str, seconds: float) -> Structure:
    """A model that runs but could not be followed: all of it is blocked, and its cost is what was counted."""
    parts = [(name or "the model", layer) for name, layer in module.named_modules()]
    sizes = {name: max((len(p) for p in layer._parameters.values() if p is not None and p.dim() > 1), default=0)
             for name, layer in parts}  # fmt: skip
    blocked = tuple(
        Blocked(name, size, f"the model could not be followed: {reason}") for name, size in sizes.items() if size
    )
    constant = CostModel((Product(cost.params, ()),), (Product(cost.macs, ()),))
    return Structure({}, blocked, constant, _shape(example), seconds, {})


def _shape(example: Inputs) -> tuple:
    shapes = [tuple(tensor.shape[1:]) for tensor in as_tuple(example)]
    return shapes[0] if isinstance(example, Tensor) else tuple(shapes)


def _structure(resolution: Resolution, example: Inputs) -> Structure:
    return Structure(
        resolution.groups, resolution.blocked, resolution.cost_model, _shape(example), 0.0, resolution.blocks
    )


def _producers(resolution: Resolution, name: str) -> list[str]:
    """What `resolve` should refuse so that a group is not offered."""
    group = resolution.groups[name]
    return [name] if group.kind == "head-dims" else [member.tensor for member in group.of_role("producer")]


def _skippable(module: nn.Module, example: Inputs, structure: Structure, most: int) -> tuple[dict[str, Block], int]:
    """The residual blocks without which the model runs and costs what the polynomials say, and how many passes it took.

    Those that lie within no other are tried together and halved until the others are found, then those inside them, in
    no more than `most` passes.
    """
    good: set[str] = set()
    passes = 0

    def separate(names: list[str]) -> None:
        nonlocal passes
        if passes >= most:
            return
        passes += 1
        if _runs_without(module, example, structure, names):
            good.update(names)
        elif len(names) > 1:
            separate(names[: len(names) // 2])
            separate(names[len(names) // 2 :])

    left = list(structure.blocks)
    while left:
        outer = [name for name in left if not any(inside(name, [other]) for other in left if other != name)]
        separate(outer)
        left = [name for name in left if name not in outer]
    return {name: block for name, block in structure.blocks.items() if name in good}, passes


def _runs_without(module: nn.Module, example: Inputs, structure: Structure, blocks: list[str]) -> bool:
    try:
        return count(mask_module(module, structure, {}, blocks), example) == structure.cost(without=blocks)
    except Exception:  # any error of the model's own code means: not skippable
        return False
