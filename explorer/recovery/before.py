"""What a cut network was before the cut, for recoveries that bring back what the weights that left have done."""

import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from explorer.pruning import Plan, cut
from explorer.structure import Group, Member, Structure, Tap, leaving, without

TAPS = 3  # of a teacher: the first, a middle and the last activation, as in IFAP
NOTHING_LEFT = "nothing was removed: there is nothing to make up for"


class Loss(NamedTuple):
    """A group that lost units: which of them stay, and which left; ascending."""

    group: Group
    kept: np.ndarray
    removed: np.ndarray


@dataclass(frozen=True)
class Origin:
    """Where a cut network came from: ``cut(module, structure, plan).module`` is that network; nothing is written to."""

    module: nn.Module
    structure: Structure
    plan: Plan

    @cached_property
    def left(self) -> Structure:
        """The structure without the residual blocks that the plan takes out."""
        return without(self.structure, self.plan.blocks)

    @cached_property
    def losses(self) -> dict[str, Loss]:
        """The groups that lost units, in network order."""
        losses = {}
        for name, group in self.left.groups.items():
            if removed := self.plan.remove.get(name):
                losses[name] = Loss(group, np.setdiff1d(np.arange(group.units), removed), np.array(removed))
        return losses

    def leaving(self, *roles: str) -> dict[str, dict[int, np.ndarray]]:
        """For every tensor that lost entries in members of these roles (default: all): per axis which (boolean)."""
        return leaving(self.left, {name: loss.removed.tolist() for name, loss in self.losses.items()}, roles)

    def copied(self) -> nn.Module:
        """A copy of the module, to write into."""
        return copy.deepcopy(self.module)

    def cut_into(self, module: nn.Module, changed: nn.Module) -> None:
        """Gives the cut `module` what the plan leaves of the weights of a changed copy."""
        module.load_state_dict(cut(changed, self.structure, self.plan).module.state_dict())


@dataclass(frozen=True)
class Teacher:
    """The network that is imitated, and the activations that are compared besides the outputs.

    A student has modules of the same names as the teacher's, with as many channels or fewer.
    """

    module: nn.Module
    taps: tuple[Tap, ...] = ()

    @classmethod
    def of(cls, module: nn.Module, structure: Structure, most: int = TAPS) -> "Teacher":
        """A teacher with up to `most` taps, spread evenly over the network from its first activation to its last."""
        order = {name: place for place, (name, _) in enumerate(module.named_modules())}
        once = {(tap.module, tap.activation): tap for group in structure.groups.values() for tap in group.taps}
        taps = sorted(once.values(), key=lambda tap: order[tap.module])
        chosen = np.linspace(0, len(taps) - 1, min(most, len(taps))).round().astype(int)
        return cls(module, tuple(taps[place] for place in chosen))


@contextmanager
def restoring(module: nn.Module) -> Iterator[None]:
    """Within it the module's tensors may be written to; they are put back if that is cancelled or fails."""
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    try:
        yield
    except BaseException:
        module.load_state_dict(before)
        raise


def as_cut(reasons: Mapping[str, str]) -> tuple[str, ...]:
    """One sentence for every reason why groups stay as the cut left them."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, reason in reasons.items():
        groups[reason].append(name)
    return tuple(f"as cut: {', '.join(names)} ({reason})" for reason, names in groups.items())


def norms_behind(structure: Structure, module: nn.Module) -> dict[str, str]:
    """The batch norms with running statistics, by name, that follow the layers of these weights."""
    norms = {}
    for tap in (tap for group in structure.groups.values() for tap in group.taps):
        layer = module.get_submodule(tap.module)
        if isinstance(layer, _BatchNorm) and layer.track_running_stats:
            norms[tap.producer] = tap.module
    return norms


def once(module: nn.Module, members: list[Member]) -> Iterator[tuple[Tensor, Member]]:
    """The members with their tensors, every axis of a tensor once, under whichever name."""
    tensors, seen = module.state_dict(keep_vars=True), set()
    for member in members:
        tensor = tensors[member.tensor]
        if (id(tensor), member.axis) not in seen:
            seen.add((id(tensor), member.axis))
            yield tensor.detach(), member


def on(tensor: Tensor, places: np.ndarray) -> Tensor:
    """Indices as a tensor beside another one."""
    return torch.from_numpy(places).to(tensor.device)


def along(vector: Tensor, tensor: Tensor, axis: int) -> Tensor:
    """A vector in the shape in which it is multiplied or added along an axis of a tensor, and of its type."""
    shape = [1] * tensor.ndim
    shape[axis] = -1
    return vector.to(tensor).view(shape)
