"""What a file of weights holds for one network, and which of it is taken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn
from torch.nn.modules.conv import _ConvTransposeNd

from explorer.errors import ExplorerError, unknown
from explorer.sources.networks.pretrained import left_out_of
from explorer.sources.networks.state_dicts import optional, shapes_of, shown
from explorer.sources.weights.containers import Container
from explorer.sources.weights.fits import Fit, Network, is_of_training
from explorer.sources.weights.fitting import find_fits
from explorer.sources.weights.stored import Source, find_tensors, sources


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

    def chosen(self, text: str) -> Fit:
        """The weights that are asked for by what stands before their names, or by a part of that; empty: the plain.

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
                f"{self.container.file!r} holds several weights with {text!r} before their names: say weights="
                f"{' or weights='.join(shown(fit.prefix) for fit in fitting)}"
            )
        raise unknown(
            f"weights in {self.container.file!r}", text, [shown(fit.prefix) for fit in self.fits if fit.prefix]
        )


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
