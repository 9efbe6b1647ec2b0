"""Two networks judged on the same samples: which answers were lost and won, and whether chance could do that."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

REAL = 0.05  # the p-value below which a difference is called real
_LEAST = 1e-3  # p-values below it are said as such


@dataclass(frozen=True)
class Paired:
    """How many of the same samples two networks answer right: both of them, only one, or neither.

    Args:
        both: right before and after.
        lost: right before, wrong after.
        gained: wrong before, right after.
        neither: wrong before and after.
    """

    both: int
    lost: int
    gained: int
    neither: int

    @classmethod
    def of(cls, before: np.ndarray, after: np.ndarray) -> "Paired":
        """The counts of two answers to each sample.

        Args:
            before, after: whether each sample is answered right, bool (samples,), in the same order.

        Raises:
            ValueError: they are of different samples.
        """
        if before.shape != after.shape:
            raise ValueError(f"answers to {len(before)} and to {len(after)} samples can't be paired")
        pairs = (before & after, before & ~after, ~before & after, ~before & ~after)
        return cls(*(int(pair.sum()) for pair in pairs))

    @classmethod
    def from_json(cls, document: Mapping[str, Any] | None) -> "Paired | None":
        """The counts in a checked report; None of one that has none."""
        return None if not document else cls(*(document[key] for key in ("both", "lost", "gained", "neither")))

    def to_json(self) -> dict[str, int]:
        """``{both, lost, gained, neither}``"""
        return asdict(self)

    @property
    def samples(self) -> int:
        return self.both + self.lost + self.gained + self.neither

    @property
    def p_value(self) -> float:
        """McNemar's test (Psychometrika 12, 1947) in its exact, two-sided form.

        Were both networks equally good, each sample that only one of them answers right would be either's with even
        odds. 1 where there is no such sample.
        """
        changed = self.lost + self.gained
        return float(binomtest(self.lost, changed, 0.5).pvalue) if changed else 1.0

    @property
    def verdict(self) -> str:
        """In a word: "worse", "better", or "no difference" where chance could do it."""
        if self.p_value >= REAL:
            return "no difference"
        return "worse" if self.lost > self.gained else "better"

    def sentence(self, samples: str) -> str:
        """The same in words; `samples` are what they are called: ``28 images were lost and 3 gained: …``."""
        if not self.lost + self.gained:
            return f"The same {samples} are answered right as before: no difference"
        p = f"p < {_LEAST:g}" if self.p_value < _LEAST else f"p = {self.p_value:.2g}"
        real = "a real difference" if self.p_value < REAL else "no difference that chance could not make"
        one = samples.removesuffix("s") if self.lost == 1 else samples
        return f"{self.lost} {one} {'was' if self.lost == 1 else 'were'} lost and {self.gained} gained: {real} ({p})"
