"""What units are scored by while a network is trained, and what that takes."""

from collections.abc import Mapping
from typing import Any

from explorer.api import Problem
from explorer.criteria import CRITERIA, Scores
from explorer.criteria.tools.scoring import sorted_out, usable
from explorer.errors import ExplorerError, unknown
from explorer.loops.gradients import Gradients
from explorer.methods import METHODS

FROM_TRAINING = "taylor"
"""The criterion that reads the gradients which training takes anyhow."""
IFAP = "ifap"


def named_method(method: str) -> tuple[str, str]:
    """The criterion and the growth that a method's name stands for.

    Raises:
        ExplorerError: it is neither "ifap" nor a criterion.
    """
    if method == IFAP:
        return METHODS[IFAP].defaults["criterion"], IFAP
    if method in CRITERIA:
        return method, "cubic"
    if method in METHODS.declared():
        raise ExplorerError(
            f"method {method!r} trains by itself and can't follow a loop: use ex.run for it, and here {IFAP!r} or a "
            "criterion, such as 'l2' or 'taylor'"
        )
    raise unknown("method", method, [IFAP, *CRITERIA])


class Scorer:
    """Scores a problem's network as it is, by one criterion.

    Args:
        samples: of the training data, where the criterion looks at some.
        seed: of the first cut's draws, the next one's is one more.
        settings: of the criterion.

    Raises:
        ExplorerError: an unknown setting, or data is missing that the criterion needs.
    """

    def __init__(
        self, problem: Problem, criterion: str, samples: int | None, seed: int, settings: Mapping[str, Any]
    ) -> None:
        CRITERIA.get(criterion).read({name: str(value) for name, value in settings.items()})
        self.from_training = criterion == FROM_TRAINING
        if not self.from_training:
            usable(criterion, problem.calibration)
        self._problem, self.criterion, self._samples, self._seed = problem, criterion, samples, seed
        self._settings = settings

    def __str__(self) -> str:
        needs = CRITERIA[self.criterion].needs
        if self.from_training:
            return f"{self.criterion} reads the gradients of training: no pass over data"
        if needs & {"inputs", "labels"}:
            count = len(self._problem.calibration or ())
            seen = count if self._samples is None else min(count, self._samples)
            return f"{self.criterion} looks at {seen} training samples at every cut: {CRITERIA[self.criterion].cost}"
        return f"{self.criterion} looks at weights alone: no pass over data"

    def __call__(self, number: int, gradients: Gradients) -> Scores:
        """Scores for the cut `number`, counted from 0.

        Raises:
            ExplorerError: there were no gradients, a score isn't finite, or no group can be scored.
        """
        if self.from_training:
            return sorted_out(CRITERIA[self.criterion], self._problem.structure, gradients.answers(), 0.0)
        seed = self._seed + number
        return self._problem.score(self.criterion, samples=self._samples, seed=seed, **self._settings)
