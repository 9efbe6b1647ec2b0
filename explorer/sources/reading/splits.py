"""The four parts of a task, where the data comes as one or with some of them."""

from collections.abc import Iterable, Sequence

import numpy as np

from explorer.errors import ExplorerError
from explorer.tasks import PARTS

FRACTIONS = (0.60, 0.10, 0.15, 0.15)  # train, calibration, validation, test of data that comes as one


def four_parts(strata: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Indices of the four parts of data that comes as one, each with every stratum in its share."""
    return dict(zip(PARTS, stratified_split(strata, FRACTIONS, seed), strict=True))


def places_of(own: Sequence[str], parts: Iterable[str]) -> dict[str, np.ndarray]:
    """Indices of the examples of each part, int64 (n,).

    Args:
        own: the part of each example.
        parts: those that are asked for.
    """
    return {part: np.array([n for n, of in enumerate(own) if of == part], dtype=np.int64) for part in parts}


def origin(given: Iterable[str]) -> str:
    """How the parts of a folder's examples came about, for a person."""
    return "split at random into four fixed parts" if set(given) == {"train"} else "in the folder's own parts"


def shares_of(missing: int) -> tuple[float, ...]:
    """Of the training data: what stays, and what each part that is `missing` besides it takes."""
    return {1: (1.0,), 2: (0.9, 0.1), 3: (0.8, 0.1, 0.1), 4: FRACTIONS}[missing]


def split_missing(
    given: dict[str, np.ndarray], labels: np.ndarray, source: str, what: str = "training examples"
) -> dict[str, np.ndarray]:
    """Indices of all four parts: those that are not given are split off `train`, stratified and seeded.

    With a validation part but no test part, it is the test part.

    Args:
        given: indices of the parts that there are, `train` among them.
        labels: of all examples.
        source: where they come from, for a person.
        what: what they are, for a person.

    Raises:
        ExplorerError: there are too few examples.
    """
    given = dict(given)
    if "validation" in given and "test" not in given:
        given["test"] = given.pop("validation")
    train = given.pop("train")
    missing = [part for part in PARTS if part not in given]
    strata = labels[train] if labels.dtype.kind == "i" else np.zeros(len(train), dtype=int)
    split = [train[index] for index in stratified_split(strata, shares_of(len(missing)), seed=0)]
    parts = given | dict(zip(missing, split, strict=True))
    if any(len(index) == 0 for index in parts.values()):
        raise ExplorerError(f"{source!r} has only {len(train)} {what}: give it 10 a class or more")
    return {part: parts[part] for part in PARTS}


def stratified_split(labels: np.ndarray, fractions: tuple[float, ...], seed: int) -> list[np.ndarray]:
    """Indices of `len(fractions)` disjoint parts, each with every class in its share, in shuffled order.

    The parts cover everything; sizes within a class are rounded cumulatively.
    """
    generator = np.random.default_rng(seed)
    edges = np.cumsum(fractions)[:-1]
    parts: list[list[np.ndarray]] = [[] for _ in fractions]
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        for part, chunk in zip(parts, np.split(members, np.rint(edges * len(members)).astype(int)), strict=True):
            part.append(chunk)
    return [generator.permutation(np.concatenate(part)) for part in parts]
