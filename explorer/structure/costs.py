"""Costs as polynomials of the units that every group keeps."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from torch import nn

from explorer.structure.blocks import separable, shared_tensors
from explorer.structure.heads import OUTSIDE, HeadDims
from explorer.structure.labels import Ids
from explorer.structure.ledger import Contraction, Ledger
from explorer.structure.names import Names
from explorer.structure.types import Block, CostModel, Product, Width, inside
from explorer.structure.units import Units


class Costs:
    """Polynomials of the whole model, and of every residual block in it."""

    def __init__(self, ledger: Ledger, units: Units, names: Names, dims: HeadDims, module: nn.Module) -> None:
        self.ledger, self.units, self.names, self.dims, self.module = ledger, units, names, dims, module
        self._widths: dict[bytes, Width] = {}

    def whole(self) -> CostModel:
        return self._model(dict(self.module.named_parameters()), self.ledger.contractions)

    def blocks(self) -> dict[str, Block]:
        """Those that share no tensor with the rest of the model."""
        blocks = {}
        parameters = dict(self.module.named_parameters())
        shared = shared_tensors(self.module)
        for name in (name for name, _ in self.module.named_modules() if name in self.ledger.blocks):
            span = self.ledger.blocks[name]
            if separable(shared, name):
                own = {n: parameter for n, parameter in parameters.items() if inside(n, [name])}
                model = self._model(own, self.ledger.contractions[span.start : span.stop])
                blocks[name] = Block(name, span.returns, model, passed=span.passed, written=span.written)
        return blocks

    def by_module(self) -> dict[str, tuple[Product, ...]]:
        """The terms of the multiply-accumulates by the module that was running."""
        made: dict[str, list[Contraction]] = defaultdict(list)
        for contraction in self.ledger.contractions:
            made[contraction.module].append(contraction)
        return {module: self._model({}, contractions).macs for module, contractions in made.items()}

    def _model(self, parameters: dict[str, nn.Parameter], contractions: Sequence[Contraction]) -> CostModel:
        params: dict[tuple[Width, ...], int] = defaultdict(int)
        for name, parameter in parameters.items():
            owned = [self.ledger.axes.get((name, axis)) for axis in range(parameter.dim())]
            _add(params, 1, [
                ((size, ()),) if owners is None else self._width(owners)
                for owners, size in zip(owned, parameter.shape, strict=True)
            ])  # fmt: skip
        macs: dict[tuple[Width, ...], int] = defaultdict(int)
        for contraction in contractions:
            _add(macs, contraction.coefficient, [self._width(side) for side in contraction.sides])
        return CostModel(*(tuple(Product(c, w) for w, c in terms.items()) for terms in (params, macs)))

    def _width(self, owners: Ids) -> Width:
        key = owners.tobytes()
        if key not in self._widths:
            self._widths[key] = _width(owners, self.units, self.names.names, self.dims)
        return self._widths[key]


def _add(terms: dict[tuple[Width, ...], int], coefficient: int, widths: list[Width]) -> None:
    """Add a term, constant widths drawn into the coefficient."""
    varying: list[Width] = []
    for w in widths:
        if len(w) == 1 and not w[0][1]:
            coefficient *= w[0][0]
        else:
            varying.append(w)
    terms[tuple(varying)] += coefficient


def _width(owners: Ids, units: Units, names: list[str], dims: HeadDims) -> Width:
    """How many of these entries remain, as a sum over groups."""
    group = np.where(owners >= 0, units.group[units.of[owners]], OUTSIDE)
    if not dims.names:
        found, sizes = np.unique(group, return_counts=True)
        return tuple(
            (int(count), ()) if g == OUTSIDE else (int(count) // units.sizes[g], (names[g],))
            for g, count in zip(found.tolist(), sizes.tolist(), strict=True)
        )
    inner = dims.of(owners)
    met, counts = np.unique(np.stack([group, inner]), axis=1, return_counts=True)
    width: list[tuple[int, tuple[str, ...]]] = []
    for (g, d), count in zip(met.T.tolist(), counts.tolist(), strict=True):
        if g == OUTSIDE:
            width.append((int(count), ()))
        elif d == OUTSIDE:
            width.append((int(count) // units.sizes[g], (names[g],)))
        else:
            width.append((int(count) // (units.sizes[g] * dims.widths[d]), (names[g], dims.names[d])))
    return tuple(width)
