"""Whole experts of a mixture as units: what a router chooses by number leaves with its row of the router.

A router gives every token a score for each expert and takes the numbers of the best; the experts' weights lie side by
side in tensors whose first axis counts them. No operator ties that axis to the scores, since Python code reads the
numbers. So tensors are looked for in the smallest module around the choice that has some of this length along which no
channel was met, and the proof decides. A mask runs that module on what stays: a score of zero is no refusal.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import nn

from explorer.structure.ledger import Choice, Ledger, Passage, Tie
from explorer.structure.types import inside

ALL_CHOSEN = "all of them are chosen"


class _Place(NamedTuple):
    """Where experts are: the module that a mask runs on what stays, its channels, and the experts' tensors."""

    path: str
    passage: Passage
    tensors: list[str]


def settle_experts(ledger: Ledger, module: nn.Module) -> None:
    """Tie experts to the rows of their routers; channels that are chosen by number for anything else can't leave."""
    for choice in ledger.choices.values():
        place = _place(choice, _stacked(ledger, module, len(choice.ids)))
        if place is None:
            ledger.freeze(choice.ids, choice.reason)
        elif choice.least >= len(choice.ids):
            ledger.freeze(choice.ids, f"{ALL_CHOSEN} in {place.path or 'the model'}")
        else:
            _tie(ledger, choice, place)


def _stacked(ledger: Ledger, module: nn.Module, experts: int) -> list[str]:
    """Tensors of as many matrices, and of vectors beside them, along whose first axis no channels were met."""
    counted = {
        name: parameter.dim()
        for name, parameter in module.named_parameters()
        if parameter.dim() > 1 and len(parameter) == experts and (name, 0) not in ledger.axes
        if any((name, axis) in ledger.axes for axis in range(1, parameter.dim()))
    }
    owners = {name.rpartition(".")[0] for name, axes in counted.items() if axes > 2}
    return [name for name in counted if name.rpartition(".")[0] in owners]


def _place(choice: Choice, stacked: Sequence[str]) -> _Place | None:
    """The smallest module around a choice that has experts, or the next around it that a mask can run on its own."""
    found: list[str] = []
    for path, passage in choice.around.items():  # the innermost first
        found = found or [name for name in stacked if not path or inside(name, [path])]
        if found and passage is not None:
            return _Place(path, passage, found)
    return None


def _tie(ledger: Ledger, choice: Choice, place: _Place) -> None:
    size = len(choice.ids)
    for name in place.tensors:
        ledger.record(name, 0, np.arange(size), choice.ids, size=size, role="expert")
    ledger.ties.append(Tie("choice of experts", place.path or "the model", int(choice.ids[0])))
    ledger.blur(choice.ids, f"experts are chosen in {place.path or 'the model'}", place.path)
    ledger.normalised[place.path] = place.passage
    ledger.computing.add(place.path)
    ledger.mixtures[place.path] = choice
