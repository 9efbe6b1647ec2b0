"""Which single weights stay: the masks with which a segment begins."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from explorer.criteria.tools.single import SINGLE, dense_gradients, score_weights
from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.methods.tools import steps
from explorer.methods.tools.sparse_schedule import Segment
from explorer.progress import Report, silent
from explorer.pruning.unstructured import (
    Masks,
    apply,
    drop_lowest,
    exchange,
    input_axes,
    keep_pattern,
    prunable,
    sparsity,
    tails,
)

SYNFLOW_ROUNDS = 100  # as in its paper: in a single one whole layers would go


@dataclass(frozen=True)
class Rule:
    """How weights are chosen: the share with the lowest scores, or `pattern` (keep, of) of every few neighbours."""

    criterion: str = "l1"
    scope: str = "global"
    margins: str = "magnitude"
    pattern: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Raises for what does not go together."""
        if self.criterion not in SINGLE:
            raise ExplorerError(
                f"criterion {self.criterion!r} scores channels, not single weights: use {', '.join(SINGLE)}"
            )
        if self.margins == "signed" and (self.criterion != "l1" or self.pattern):
            raise ExplorerError("margins of signed weights are quantiles of weights: use --criterion l1 and no pattern")


@dataclass(frozen=True)
class Chooser:
    """Chooses masks by a rule, on the calibration data of a subject."""

    rule: Rule
    subject: steps.Subject
    spec: Spec

    def choose(self, segment: Segment, module: nn.Module, masks: Masks, report: Report) -> Masks:
        """The masks of a segment, given the model as it is and the masks so far."""
        rule, weights = self.rule, prunable(module, self.spec.locked)
        if segment.exchange:
            return exchange(weights, self._slopes(module, report), masks, segment.exchange)
        if rule.pattern:
            return keep_pattern(self._scores(module, report), input_axes(module, weights), *rule.pattern)
        if round(segment.sparsity * sum(map(torch.numel, masks.values()))) <= zeros(masks):
            return masks
        if rule.criterion == "synflow":
            return self._by_rounds(segment.sparsity, module, masks)
        scores = tails(weights, masks, rule.scope) if rule.margins == "signed" else self._scores(module, report)
        return drop_lowest(scores, masks, segment.sparsity, rule.scope)

    def _by_rounds(self, wanted: float, module: nn.Module, masks: Masks) -> Masks:
        """SynFlow's own way: scores anew after every small cut, the kept share falling geometrically."""
        module, left = deepcopy(module), 1 - sparsity(masks)
        for number in range(1, SYNFLOW_ROUNDS + 1):
            kept = left * ((1 - wanted) / left) ** (number / SYNFLOW_ROUNDS)
            masks = drop_lowest(self._scores(module), masks, 1 - kept, self.rule.scope)
            apply(module, masks)
        return masks

    def _scores(self, module: nn.Module, report: Report = silent) -> dict[str, Tensor]:
        return score_weights(
            self.rule.criterion,
            module,
            self.subject.structure,
            self.subject.task.calibration,
            prunable(module, self.spec.locked),
            options=self.spec.options,
            device=self.subject.device,
            samples=self.spec.samples,
            seed=self.spec.seed,
            report=report,
        )

    def _slopes(self, module: nn.Module, report: Report) -> dict[str, Tensor]:
        """By how much the loss would change with each weight, also with those that are zero."""
        return dense_gradients(
            module,
            self.subject.structure,
            self.subject.task.calibration,
            prunable(module, self.spec.locked),
            device=self.subject.device,
            samples=self.spec.samples,
            seed=self.spec.seed,
            report=report,
        )


def zeros(masks: Masks) -> int:
    """How many weights are zero."""
    return sum(int((~mask).sum()) for mask in masks.values())
