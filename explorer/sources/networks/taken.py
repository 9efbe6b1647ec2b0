"""The weights that a `file:` ref names, found in their file and put into their network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn.modules.conv import _ConvTransposeNd

from explorer.errors import ExplorerError, unknown
from explorer.sources.networks.containers import Container
from explorer.sources.networks.fitting import Fit, Network, find_fits, is_of_training
from explorer.sources.networks.misfits import misfit, odd_among
from explorer.sources.networks.pretrained import left_out_of
from explorer.sources.networks.state_dicts import few, load_weights, optional, shown
from explorer.sources.networks.stored import Source, find_tensors, sources


@dataclass(frozen=True)
class Held:
    """What a file holds, against one network.

    Args:
        found: its tensors as this network could take them.
        network: what it asks for.
        fits: what fits it whole, the plain weights first; else what comes nearest.
    """

    container: Container
    found: Mapping[str, Source]
    network: Network
    fits: Sequence[Fit]

    @property
    def is_whole(self) -> bool:
        return any(fit.is_whole for fit in self.fits)

    @property
    def left_over(self) -> list[str]:
        """Tensors that could be weights of something and are not among those that fit."""
        used = frozenset[str]().union(*(fit.parts for fit in self.fits))
        return [
            name
            for name, source in self.found.items()
            if not source.parts.keys() & used and not source.counts and not is_of_training(name, self.network.known)
        ]

    def chosen(self, text: str, name: str) -> Fit:
        """The weights that are asked for by what stands before their names, or by a part of that; empty: the plain.

        Args:
            name: of the file, as a person wrote it.

        Raises:
            ExplorerError: there are none of that name, or several.
        """
        if not text:
            return self.fits[0]
        fitting = [fit for fit in self.fits if fit.prefix == text] or [fit for fit in self.fits if text in fit.prefix]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise ExplorerError(
                f"{name!r} holds several weights with {text!r} before their names: say weights="
                f"{' or weights='.join(shown(fit.prefix) for fit in fitting)}"
            )
        raise unknown(f"weights in {name!r}", text, [shown(fit.prefix) for fit in self.fits if fit.prefix])


def hold(container: Container, module: nn.Module, shapes: Mapping[str, tuple[int | None, ...]] | None = None) -> Held:
    """What a file holds for a network.

    Args:
        shapes: of the network's tensors, where not all sizes are settled.
    """
    turned = {f"{name}.weight" for name, layer in module.named_modules() if isinstance(layer, _ConvTransposeNd)}
    own = shapes_of(module)
    network = Network(
        shapes or own, frozenset(optional(module)), frozenset(dict(module.named_buffers())), left_out_of(module)
    )
    found = sources(find_tensors(container.content), set(own), turned)
    return Held(container, found, network, find_fits(found, network, container.ordered))


def shapes_of(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """The shapes of all tensors of a network's state dict."""
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def require_whole(held: Held, place: tuple[Path, str], outputs: int) -> None:
    """Nothing, where the file has the network's weights.

    Raises:
        ExplorerError: it has not; see `misfit`.
    """
    if not held.is_whole:
        raise misfit(held.container, place, held.found, held.fits, held.network, outputs)


def put_in(held: Held, fit: Fit, module: nn.Module, file: str) -> None:
    """Reads the weights and gives them to the network.

    Args:
        file: its path, as a person wrote it.

    Raises:
        ExplorerError: the file is damaged, or one of the tensors is of a kind that can't be a weight.
    """
    if odd := odd_among(fit, file):
        raise odd
    parts = {part: tensor for source in fit.sources.values() for part, tensor in source.parts.items()}
    values = held.container.read(parts)
    tensors = {name: source.make(*(values[part] for part in source.parts)) for name, source in fit.sources.items()}
    load_weights(module, tensors, file)


def told(held: Held, fit: Fit) -> list[str]:
    """What a person should know of how the weights came out of their file, in clauses."""
    clauses = [f"found under {shown(fit.prefix)}"] if fit.prefix else []
    if passed := fit.passed_over(held.network):
        clauses.append(f"passed over within names: {few(sorted(passed))}")
    if fit.ordered:
        clauses.append(f"the names of {len(fit.ordered)} tensors differ and were matched by order and shape")
    clauses += [f"{how} put into the weights" for how in sorted({source.how for source in fit.sources.values()} - {""})]
    kinds = {part.dtype for source in fit.sources.values() for part in source.parts.values()}
    if cast := sorted(str(kind)[6:] for kind in kinds if kind.is_floating_point and kind != torch.float32):
        clauses.append(f"stored in {' and '.join(cast)}, used in float32")
    if rest := held.left_over:
        clauses.append(f"left out {len(rest)} tensor{'s' if len(rest) > 1 else ''} ({few(rest)})")
    return clauses
