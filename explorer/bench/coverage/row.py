"""One row of the coverage table: what becomes of a network of which 30 % of every group leave."""

import copy
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from explorer.bench.families import NotInstalledError, make
from explorer.errors import ExplorerError, one_line
from explorer.pruning import CutModel, Plan, cut, mask
from explorer.structure import Structure, adapt, analyse, count
from explorer.structure.generic import doubled
from explorer.structure.names import owner
from explorer.structure.resolve import UNREACHED
from explorer.structure.running import Inputs, as_tuple, tensors_in
from explorer.structure.tracing import POSITIONS

RATIO = 0.3  # of every group is cut
EXACT = 1e-4  # relative difference of outputs that float32 explains
OUTPUTS = "these are the model's outputs"  # the reason for which the last layer's channels stay


def row(name: str, *, onnx: bool = True) -> dict[str, Any]:
    """What becomes of one network when 30 % of the units of every group leave.

    Returns:
        `params`, `groups`, `kinds` (how many of each); `share`, see `share`; `blocked` (reason → channels, but for the
        outputs, parts that no input reaches, positions that are mixed, places in heads that leave whole); `forwards`,
        passes that the analysis made, of a part its share (never fewer than calls that were seen); the seconds of one
        `forward`, of the `analysis` and of the `trial` cut that proves it; `kept`, the fraction of parameters that
        stays; `mask` and `reload`, relative differences of the outputs from the cut model's, None for a mask that is
        not exact; `cost`, whether the closed form equals a count, of the whole network and of the cut one; `trains`,
        whether every parameter of the cut model gets a finite gradient in training mode; `onnx`, the relative
        difference, or why there is none.

    Raises:
        ExplorerError: one of these steps failed; the message begins with which.
    """
    with _step("building it"):
        module, example = make(name)
        single = _first(example)
        _outputs(module, example)
        forward = _seconds(module, single)
    with _step("the analysis"):
        start = time.perf_counter()
        analyse(module, single, trial=False)
        analysis = time.perf_counter() - start
        with _counting(module) as passes:
            start = time.perf_counter()
            structure = analyse(module, single)
            trial = max(time.perf_counter() - start - analysis, 0.0)
    plan = Plan(name, {group.name: range(int(RATIO * group.units)) for group in structure.groups.values()})
    with _step("the cut"):
        smaller = cut(module, structure, plan)
        outputs = _outputs(smaller.module, example)
        counted = count(smaller.module, single)
    return {
        "model": name,
        "params": sum(p.numel() for p in module.parameters()),
        "groups": len(structure.groups),
        "kinds": dict(Counter(group.kind for group in structure.groups.values())),
        "share": share(module, structure),
        "blocked": _blocked(structure),
        "forwards": max(structure.forwards, float(len(passes))),
        "forward": forward,
        "analysis": analysis,
        "trial": trial,
        "kept": counted.params / structure.cost().params,
        "mask": _masked(module, structure, plan, example, outputs),
        "cost": structure.cost() == count(module, single) and structure.cost(plan.kept(structure)) == counted,
        "reload": _reloaded(name, smaller, example, outputs),
        "trains": _trains(smaller.module, example),
        "onnx": _onnx(smaller.module, example) if onnx and isinstance(example, Tensor) else None,
    }


def share(module: nn.Module, structure: Structure) -> float:
    """The share of parameters in cuttable groups: those of tensors of which at least one axis belongs to a group.

    Embeddings, and layers that make the model's outputs, are left out of the count: their number of rows is given.
    """
    tables = {id(layer.weight) for layer in module.modules() if isinstance(layer, nn.Embedding)}
    heads = {part.name for part in structure.blocked if part.reason == OUTPUTS}
    grouped = {member.tensor for group in structure.groups.values() for member in group.members}
    counted = {
        name: parameter.numel()
        for name, parameter in module.named_parameters()
        if id(parameter) not in tables and owner(name) not in heads
    }
    whole = sum(counted.values())
    return sum(size for name, size in counted.items() if name in grouped) / whole if whole else 1.0


@contextmanager
def _step(what: str) -> Iterator[None]:
    """Says of whatever goes wrong in which step it did."""
    try:
        yield
    except NotInstalledError:
        raise
    except Exception as error:  # of any package
        said = error if isinstance(error, ExplorerError) else f"{type(error).__name__}: {one_line(error)}"
        raise ExplorerError(f"{what}: {said}") from error


@contextmanager
def _counting(module: nn.Module) -> Iterator[list[None]]:
    """A list with one entry per call of the module, or of a copy of it, which takes the hook along."""
    calls: list[None] = []
    handle = module.register_forward_pre_hook(lambda *_: calls.append(None))
    try:
        yield calls
    finally:
        handle.remove()


def _first(example: Inputs) -> Inputs:
    """A batch of one."""
    return example[:1] if isinstance(example, Tensor) else tuple(tensor[:1] for tensor in example)


@torch.no_grad()
def _seconds(module: nn.Module, inputs: Inputs) -> float:
    """Of one forward pass, when it is not the first."""
    module(*as_tuple(inputs))
    start = time.perf_counter()
    module(*as_tuple(inputs))
    return time.perf_counter() - start


@torch.no_grad()
def _outputs(module: nn.Module, inputs: Inputs) -> Tensor:
    """All numbers that come out, in one row.

    Raises:
        ExplorerError: they would show no difference.
    """
    outputs = torch.cat([tensor.flatten().float() for tensor in tensors_in(module(*as_tuple(inputs)))])
    if not outputs.isfinite().all() or not outputs.any():
        raise ExplorerError("its outputs are all zero, or no numbers")
    return outputs


def _difference(found: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the largest output."""
    return float((found - expected).abs().max() / expected.abs().max())


def _masked(module: nn.Module, structure: Structure, plan: Plan, example: Inputs, outputs: Tensor) -> float | None:
    if not all(group.exact for group in structure.groups.values()):
        return None
    with _step("the mask"):
        difference = _difference(_outputs(mask(module, structure, plan), example), outputs)
        return difference if difference <= EXACT else _masked_in_double(module, structure, plan, example, difference)


def _masked_in_double(module: nn.Module, structure: Structure, plan: Plan, example: Inputs, difference: float) -> float:
    """The difference in float64, where float32 may drown it in rounding; if the network runs in that."""
    precise = tuple(tensor.double() if tensor.is_floating_point() else tensor for tensor in as_tuple(example))
    inputs = precise[0] if isinstance(example, Tensor) else precise
    try:
        wide = doubled(module)
        expected = _outputs(cut(wide, structure, plan).module, inputs)
        return _difference(_outputs(mask(wide, structure, plan), inputs), expected)
    except RuntimeError:  # types of numbers that do not fit
        return difference


def _reloaded(name: str, smaller: CutModel, example: Inputs, outputs: Tensor) -> float:
    """How far the cut model is from a fresh network that was given its tensors and attributes alone."""
    with _step("reloading"):
        fresh, _ = make(name)
        adapt(fresh, smaller.module.state_dict(), copy.deepcopy(smaller.attributes))
        return _difference(_outputs(fresh.eval(), example), outputs)


def _blocked(structure: Structure) -> dict[str, int]:
    blocked: Counter[str] = Counter()
    for part in (part for part in structure.blocked if not part.places):
        if part.reason not in (OUTPUTS, UNREACHED) and not part.reason.startswith(POSITIONS):
            blocked[part.reason] += part.size
    return dict(blocked)


def _trains(module: nn.Module, example: Inputs) -> bool:
    with _step("training"):
        outputs = [tensor for tensor in tensors_in(module.train()(*as_tuple(example))) if tensor.requires_grad]
        sum(tensor.float().square().mean() for tensor in outputs).backward()
    module.eval()
    gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    return bool(gradients) and all(bool(gradient.isfinite().all()) for gradient in gradients)


def _onnx(module: nn.Module, example: Tensor) -> float | str:
    from explorer.export import check_onnx, export_onnx

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        try:
            export_onnx(module, example, path)
            return check_onnx(path, module, example, None)["max_rel_diff"]
        except ExplorerError as error:
            return str(error)
