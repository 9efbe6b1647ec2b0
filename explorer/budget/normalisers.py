"""Bringing scores of different groups onto one scale: a step of its own, between criterion and allocation."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from explorer.criteria.lamp import lamp_scores

Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Normaliser:
    """`function` takes and gives one group's scores, (units,), and keeps their order."""

    name: str
    title: str
    explanation: str
    function: Function

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        return self.function(np.asarray(scores, np.float64))


NORMALISERS: dict[str, Normaliser] = {}


def normaliser(name: str, title: str, explanation: str) -> Callable[[Function], Function]:
    """Enters the decorated function into `NORMALISERS` as `name`."""

    def register(function: Function) -> Function:
        NORMALISERS[name] = Normaliser(name, title, explanation, function)
        return function

    return register


def _over(scores: np.ndarray, scale: float) -> np.ndarray:
    """Divided by a positive scale; a group whose scores are all zero keeps them."""
    return scores / scale if scale > 0 else scores


@normaliser("none", "None", "Scores as they are: layers with larger numbers lose less, whatever the reason.")
def none(scores: np.ndarray) -> np.ndarray:
    return scores


@normaliser("mean", "Mean", "Divided by the mean size of the group's scores: 1 is an average unit.")
def mean(scores: np.ndarray) -> np.ndarray:
    return _over(scores, np.abs(scores).mean())


@normaliser("sum", "Sum", "A unit's share of its group: units of wide groups count for less.")
def total(scores: np.ndarray) -> np.ndarray:
    return _over(scores, np.abs(scores).sum())


@normaliser("max", "Maximum", "Divided by the group's largest score: the best unit of every group has 1.")
def largest(scores: np.ndarray) -> np.ndarray:
    return _over(scores, np.abs(scores).max())


@normaliser("l2", "L2 norm", "Divided by the Euclidean norm of the group's scores.")
def euclidean(scores: np.ndarray) -> np.ndarray:
    return _over(scores, float(np.linalg.norm(scores)))


@normaliser("rank", "Rank", "The share of the group's units that score no higher: only the order in a group is left.")
def rank(scores: np.ndarray) -> np.ndarray:
    return np.searchsorted(np.sort(scores), scores, side="right") / len(scores)


@normaliser(
    "lamp",
    "LAMP",
    "A score over the sum of those that are no smaller: the best unit of every group has 1, and of many equal ones "
    "most look small. Scores below zero are first raised by the lowest.",
)
def lamp(scores: np.ndarray) -> np.ndarray:
    """``x_u / Σ_{v ≥ u} x_v`` (Lee et al. 2021, arXiv:2010.07611), u in ascending order."""
    return lamp_scores(scores - min(0.0, scores.min()))
