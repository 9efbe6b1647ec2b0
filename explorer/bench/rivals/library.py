"""torch-pruning as its authors use it: a network cut until its MACs, by the count used here, are at most a goal."""

import copy
import importlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from explorer.errors import ExplorerError
from explorer.pruning import Plan, cut
from explorer.structure import Structure, count

IMPORTANCES = {"l2": "GroupMagnitudeImportance", "taylor": "GroupTaylorImportance"}
"""Its classes, taken with their own reduction and normaliser, which are the mean of a group; magnitude is of p = 2."""
SCOPES = ("uniform", "global", "isomorphic")
MOST = 0.9  # of a layer's channels: as everywhere here, a tenth stays
STEPS = 40  # to nothing, of which a network takes as many as its goal asks for
_RISE = 0.05  # of the shares of one ranking that are tried one after the other
_HALVINGS = 8  # of the last rise
_MISSING = "torch-pruning is missing, which this compares with: pip install 'torch-pruning>=1.6,<1.7'"


def torch_pruning() -> Any:
    """The library.

    Raises:
        ExplorerError: it is not installed.
    """
    try:
        return importlib.import_module("torch_pruning")
    except ImportError:
        raise ExplorerError(_MISSING) from None


@dataclass(frozen=True)
class Way:
    """How torch-pruning chooses channels.

    Args:
        importance: a key of `IMPORTANCES`.
        scope: what is ranked together, one of `SCOPES`: every layer by itself, all layers, or layers of the same place
            in the graph (isomorphic pruning, Fang et al. 2024, arXiv:2407.04616).
        steps: in how many steps all would leave; 1: the goal is reached by one ranking.
    """

    importance: str
    scope: str
    steps: int = 1


@dataclass(frozen=True)
class Narrower:
    """A network on its way, and which output channels of the whole one every layer still has, by the layer's name."""

    module: nn.Module
    kept: dict[str, np.ndarray]

    def copied(self) -> "Narrower":
        """The same with tensors of its own, gradients with them."""
        module = copy.deepcopy(self.module)
        for mine, theirs in zip(module.parameters(), self.module.parameters(), strict=True):
            mine.grad = None if theirs.grad is None else theirs.grad.clone()
        return Narrower(module, dict(self.kept))


def prune_to(
    module: nn.Module,
    structure: Structure,
    example: Tensor,
    goal: int,
    way: Way,
    look: Callable[[nn.Module], None],
) -> Narrower:
    """The cut network with the most MACs that are at most `goal`, of all that the way of choosing comes by.

    One ranking: the share of channels to prune rises until the goal is met, and the last rise is halved in on; larger
    shares may keep more, since the library leaves a layer whole that would lose everything. In steps: as in its
    authors' benchmarks the pruner goes on in equal steps, ranking anew what is left, until the next would pass the
    goal; in its place comes one ranking as above. Attention loses whole heads, and the layer that gives the outputs
    keeps them all.

    Args:
        module: the whole network, which stays as it was.
        structure: of the module, which says where its heads and its outputs are.
        example: one input.
        goal: multiply-accumulates of one input.
        way: how channels are chosen.
        look: gives a network the gradients that are ranked by; called before every ranking of Taylor.

    Raises:
        ExplorerError: torch-pruning is missing, or the goal is out of reach.
    """
    library = _Library(structure, example, way)
    start = Narrower(copy.deepcopy(module).requires_grad_(True), library.whole(module))
    if library.looks:
        look(start.module)
    if way.steps == 1:
        return library.closest(start, goal)
    return library.closest(library.last_before(start, goal, look), goal)


class _Library:
    def __init__(self, structure: Structure, example: Tensor, way: Way) -> None:
        self._tp, self._example, self._way = torch_pruning(), example, way
        self._makers = {
            member.tensor.removesuffix(".weight"): group
            for group in structure.groups.values()
            if group.kind != "head-dims"  # the same channels as those of its heads, which leave as a whole
            for member in group.of_role("producer")
            if member.tensor.endswith(".weight")
        }
        self.looks = way.importance == "taylor"

    def whole(self, module: nn.Module) -> dict[str, np.ndarray]:
        """All output channels of every layer."""
        return {name: np.arange(_width(layer)) for name, layer in _layers(module).items()}

    def closest(self, start: Narrower, goal: int) -> Narrower:
        """What one ranking makes of a network, with the most MACs of those at or below the goal."""
        low, best = 0.0, self._pruned(start, high := _RISE)
        while self._macs(best) > goal:
            low, high = high, high + _RISE
            if high >= 1:
                raise ExplorerError(f"torch-pruning can't reach {goal:,} MACs by {self._way}: ask for more")
            best = self._pruned(start, high)
        for _ in range(_HALVINGS):
            tried = self._pruned(start, middle := (low + high) / 2)
            if self._macs(tried) > goal:
                low = middle
            else:
                high, best = middle, max(best, tried, key=self._macs)
        return best

    def last_before(self, start: Narrower, goal: int, look: Callable[[nn.Module], None]) -> Narrower:
        """The network before the step that passes the goal."""
        with _quiet():
            pruner = self._pruner(start, 1.0, self._way.steps)
            for step in range(self._way.steps):
                if self.looks and step:
                    look(start.module)
                before = start.copied()
                self._step(pruner, start)
                if self._macs(start) <= goal:
                    return before
        raise ExplorerError(f"torch-pruning can't reach {goal:,} MACs by {self._way}: ask for more")

    def _pruned(self, start: Narrower, share: float) -> Narrower:
        taken = start.copied()
        with _quiet():
            self._step(self._pruner(taken, share, 1), taken)
        return taken

    def _pruner(self, network: Narrower, share: float, steps: int) -> Any:
        layers = _layers(network.module)
        heads = {
            layers[name]: len(network.kept[name]) // group.unit
            for name, group in self._makers.items()
            if group.kind == "heads" and name in layers
        }
        importance = getattr(self._tp.importance, IMPORTANCES[self._way.importance])
        pruner = self._tp.pruner.BasePruner(
            network.module,
            self._example,
            importance() if self.looks else importance(p=2),
            global_pruning=self._way.scope != "uniform",
            isomorphic=self._way.scope == "isomorphic",
            pruning_ratio=share,
            max_pruning_ratio=MOST,
            iterative_steps=steps,
            ignored_layers=[layer for name, layer in layers.items() if name not in self._makers],
            num_heads=heads,
            prune_num_heads=True,
            prune_head_dims=False,
            head_pruning_ratio=share,
            in_channel_groups={},  # its default is one dictionary that all pruners write into
            out_channel_groups={},
        )
        if steps > 1 and heads:
            pruner.per_step_head_pruning_ratio = self._head_shares(steps)
        return pruner

    def _head_shares(self, steps: int) -> list[float]:
        """By step the share of heads, such that whole ones leave in even steps.

        Its own schedule rounds up in every step, which takes too many, and fails in a step that takes none. Shares are
        of those still there where every layer is ranked by itself, else of those at the beginning; that of half a head
        less is rounded up to the head.
        """
        groups = {group.name: group for group in self._makers.values() if group.kind == "heads"}
        counts = [group.units for group in groups.values()]
        each = self._way.scope == "uniform"
        whole, most = (min(counts), min(counts) - 1) if each else (sum(counts), sum(counts) - len(counts))
        gone = [min(most, step * whole // steps) for step in range(steps + 1)]
        shares = [
            (now - 0.5 - (before if each else 0)) / (whole - (before if each else 0)) if now > before else 0.0
            for before, now in pairwise(gone)
        ]
        return [0.0, *shares]

    def _step(self, pruner: Any, network: Narrower) -> None:
        """Prunes one step, and notes what left."""
        names = {layer: name for name, layer in _layers(network.module).items()}
        for group in pruner.step(interactive=True):
            gone = {
                names[dependency.target.module]: places  # once, however often the layer is in the group
                for dependency, places in group
                if dependency.target.module in names and pruner.DG.is_out_channel_pruning_fn(dependency.handler)
            }
            for name, places in gone.items():
                network.kept[name] = np.delete(network.kept[name], places)
            group.prune()

    def _macs(self, network: Narrower) -> int:
        return count(network.module, self._example).macs


def as_plan(module: nn.Module, structure: Structure, narrower: Narrower) -> Plan | None:
    """The plan whose cut of the whole `module` is that same network, tensor by tensor; None where there is none.

    With it whatever takes a network and its cut can also take torch-pruning's.
    """
    remove: dict[str, set[int]] = {}
    for name, group in structure.groups.items():
        if group.kind == "head-dims":
            continue
        for member in group.of_role("producer"):
            kept = narrower.kept.get(member.tensor.removesuffix(".weight"))
            if kept is not None and member.axis == 0 and member.tensor.endswith(".weight"):
                gone = np.delete(np.asarray(member.units), kept)
                remove.setdefault(name, set()).update(gone[gone >= 0].tolist())
    plan = Plan("", {name: tuple(units) for name, units in remove.items()})
    try:
        ours = cut(module, structure, plan).module.state_dict()
    except ExplorerError:
        return None
    return plan if _equal(ours, narrower.module.state_dict()) else None


def _equal(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


def _width(layer: nn.Module) -> int:
    return layer.out_channels if isinstance(layer, _ConvNd) else layer.out_features


def _layers(module: nn.Module) -> dict[str, nn.Module]:
    return {name: layer for name, layer in module.named_modules() if isinstance(layer, _ConvNd | nn.Linear)}


@contextmanager
def _quiet() -> Iterator[None]:
    """Within it torch-pruning does not tell which bare parameters it has found: it prunes their last axis, as meant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
