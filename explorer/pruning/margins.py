"""Where magnitude pruning would cut, for any sparsity at once: magnitudes are sorted a single time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from explorer.errors import ExplorerError, unknown
from explorer.pruning.unstructured import SCOPES, dense, told


class Margins:
    """The margins of a network's weights by magnitude: between −m and m weights leave.

    Weights of equal magnitude leave together, so ties at the margin may make it a little more than what was asked.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self.weights = {name: weight.detach().float().cpu() for name, weight in weights.items()}
        self._sizes = {name: np.sort(weight.abs().flatten().numpy()) for name, weight in self.weights.items()}
        self._together = np.sort(np.concatenate(list(self._sizes.values())))

    def margin(self, share: float, scope: str = "global", layer: str | None = None) -> float | None:
        """The largest magnitude among the ``round(share · n)`` smallest, None where that is none of them.

        n counts all weights, or those of `layer` where `scope` is "layer".

        Raises:
            ExplorerError: a share outside of 0 to 1, an unknown scope, or no layer where the scope takes one.
        """
        if not 0 <= share < 1:
            raise ExplorerError(f"sparsity is {share:g}: give the share of weights that become zero, 0.9 for 90 %")
        if scope not in SCOPES:
            raise unknown("scope", scope, SCOPES)
        if scope != "global" and layer is None:
            raise ExplorerError("every layer has a margin of its own in this scope: name a layer")
        ordered = self._together if scope == "global" or layer is None else self._sizes[layer]
        count = round(share * len(ordered))
        return float(ordered[count - 1]) if count else None

    def removed(self, share: float, scope: str = "global") -> dict[str, int]:
        """How many weights of each layer would leave."""
        return {name: self._below(name, self.margin(share, scope, name)) for name in self._sizes}

    def layer(self, name: str, share: float, scope: str = "global") -> dict[str, Any]:
        """What would become of one layer, see `explorer.pruning.unstructured.told`; `margins` are −m and m.

        Raises:
            ExplorerError: there is no such layer.
        """
        if name not in self.weights:
            raise unknown("layer", name, self.weights)
        margin, weight = self.margin(share, scope, name), {name: self.weights[name]}
        [facts] = told(weight, dense(weight), {name: ~self.leaving(name, share, scope)})
        return facts | {"margins": None if margin is None else [-margin, margin]}

    def leaving(self, name: str, share: float, scope: str = "global") -> Tensor:
        """Which weights of a layer would leave: bool, of the weight's shape."""
        margin = self.margin(share, scope, name)
        return self.weights[name].abs() <= (-1.0 if margin is None else margin)

    def to_json(self, share: float, scope: str = "global") -> dict[str, Any]:
        """``{sparsity, scope, weights, zeros, margin, layers: [{name, shape, weights, zeros, sparsity, margin}]}``

        `margin` is the one of all layers together, None where each has its own.
        """
        removed = self.removed(share, scope)
        return {
            "sparsity": share,
            "scope": scope,
            "weights": len(self._together),
            "zeros": sum(removed.values()),
            "margin": self.margin(share) if scope == "global" else None,
            "layers": [
                {
                    "name": name,
                    "shape": list(weight.shape),
                    "weights": weight.numel(),
                    "zeros": removed[name],
                    "sparsity": removed[name] / weight.numel(),
                    "margin": self.margin(share, scope, name),
                }
                for name, weight in self.weights.items()
            ],
        }

    def _below(self, name: str, margin: float | None) -> int:
        return 0 if margin is None else int(np.searchsorted(self._sizes[name], np.float32(margin), side="right"))
