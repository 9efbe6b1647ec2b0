"""Bringing scores of different groups onto one scale: a step of its own, between criterion and allocation."""

from dataclasses import dataclass

import numpy as np

from explorer.registry import Entry, Registry


@dataclass(frozen=True, kw_only=True)
class Normaliser(Entry):
    """A scale for scores: `function` takes and gives one group's, float64 of shape (units,), and keeps their order."""

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        return self.function(np.asarray(scores, np.float64))


NORMALISERS: Registry[Normaliser] = Registry(
    "normaliser", Normaliser, decorator="normaliser", package="explorer.budget.normalisers"
)
normaliser = NORMALISERS.register


def over(scores: np.ndarray, scale: float) -> np.ndarray:
    """Divided by a positive scale; a group whose scores are all zero keeps them."""
    return scores / scale if scale > 0 else scores
