"""What single groups cost after a repair: curves of the loss by units that leave while the others stand in for them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from explorer.batches import Samples
from explorer.budget import Curves
from explorer.criteria import Scores
from explorer.criteria.tools.scoring import opened
from explorer.criteria.tools.standing_in import Reading, eliminate, readings_of
from explorer.methods.studies.ladder import recovery_stage
from explorer.methods.tools import steps
from explorer.modules import Hook, watching
from explorer.progress import Report, part, silent
from explorer.pruning import Plan
from explorer.tasks import evaluate

FRACTIONS = (0.15, 0.3, 0.5, 0.7, 0.9)
_TIES = 1e-9  # of the largest score, between units of one slope: they leave in their order


@dataclass(frozen=True)
class Repairing:
    """A network with what is known of its readers, which stand-ins are computed from.

    Args:
        subject: the network.
        order: every group's units in the order in which they leave, (units,).
        readings: of every group, see `standing_in.readings_of`.
    """

    subject: steps.Subject
    order: Mapping[str, np.ndarray]
    readings: Mapping[str, Sequence[Reading]]

    @classmethod
    def of(cls, subject: steps.Subject, scores: Scores, data: Samples, report: Report = silent) -> "Repairing":
        """From one pass over the data; units leave as the scores say, the lowest first."""
        order = {name: np.argsort(worth, kind="stable") for name, worth in scores.groups.items()}
        with opened(subject.module, subject.structure, data, subject.device, report=report) as context:
            return cls(subject, order, readings_of(context))

    def closed_form(self) -> Curves:
        """The error that least squares leave in what reads a group, relative to its outputs' variance; no forward.

        See `standing_in.eliminate`. Groups that no layer reads alone are missing.
        """
        points = {}
        for name, order in self.order.items():
            if self.readings[name]:
                errors = eliminate(self.readings[name], len(order), order).errors[:-1]
                points[name] = tuple(enumerate((-errors).tolist()))
        return Curves("closed form", 0.0, points)

    def measured(self, data: Samples, fractions: Sequence[float] = FRACTIONS, report: Report = silent) -> Curves:
        """The mean loss on the data when one group alone loses fractions of its units and its readers make up for them.

        One forward pass over the data for every group and fraction. A group that no layer reads alone is cut without
        a repair.

        Raises:
            Cancelled: the report asked to stop; it hears of every batch.
        """
        whole = self._loss(data, {}, silent)
        points = {}
        for index, (name, order) in enumerate(self.order.items()):
            counts = sorted({int(fraction * len(order)) for fraction in fractions} - {0})
            stretch = part(report, index / len(self.order), (index + 1) / len(self.order))
            points[name] = tuple(
                (
                    count,
                    whole
                    - self._loss(data, {name: count}, part(stretch, place / len(counts), (place + 1) / len(counts))),
                )
                for place, count in enumerate(counts)
            )
        return Curves("loss", 0.0, points)

    def _loss(self, data: Samples, lost: Mapping[str, int], report: Report) -> float:
        subject = self.subject
        for name, count in lost.items():
            report(0.0, f"{name} without {count} of {len(self.order[name])}, repaired")
            if not self.readings[name]:
                plan = Plan("", {name: tuple(self.order[name][:count].tolist())})
                unrepaired = recovery_stage(
                    "none", subject.module, subject.structure, subject.task, plan, data=data, device=subject.device
                )
                return unrepaired.quality.loss
        with self._standing_in(lost):
            found = evaluate(subject.module, data, kind=subject.task.kind, device=subject.device, report=report)
        return found.loss

    @contextmanager
    def _standing_in(self, lost: Mapping[str, int]) -> Iterator[None]:
        """Inside it readers get stand-ins for the units that a group has lost, as if their weights were repaired."""
        hooks: list[tuple[str, Hook]] = []
        for name, count in lost.items():
            order = self.order[name]
            leaves = np.isin(np.arange(len(order)), order[:count])
            hooks += [
                (r.gauge.module, _hook(r, np.repeat(leaves, len(r.mean) // len(order)))) for r in self.readings[name]
            ]
        with watching(self.subject.module, before=hooks):
            yield

    def scores(self, curves: Curves) -> Scores:
        """The slopes of the curves as scores: what each unit gives up when it is the next to leave its group.

        They are on one scale for all groups, so that they need no normaliser. They rise along the order, since a
        curve is taken by its lower convex hull.
        """
        groups = {}
        for name in curves.points:
            order, slopes = self.order[name], curves.slopes(name, len(self.order[name]))
            worth = np.empty(len(order))
            worth[order] = slopes + _TIES * max(float(slopes.max()), _TIES) * np.arange(len(order))
            groups[name] = worth
        missing = {name: "no layer reads its channels alone" for name in self.order if name not in groups}
        return Scores(curves.metric, 0.0, groups, missing)


def _hook(reading: Reading, leaves: np.ndarray) -> Hook:
    """What a reader gets in place of its inputs: ``x_R ≈ mix·x_K + constant`` where channels leave."""
    mix, constant = (torch.from_numpy(part) for part in reading.stand_in(leaves))
    gone, kept = (torch.from_numpy(reading.entries[chosen]) for chosen in (leaves, ~leaves))

    def stand_in(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        read = inputs[0].movedim(reading.gauge.axis, 1).clone()
        left = read[:, kept.to(read.device)]
        made = torch.einsum("rk,nk...->nr...", mix.to(left), left)
        read[:, gone.to(read.device)] = made + constant.to(left).view(-1, *[1] * (made.ndim - 2))
        return read.movedim(1, reading.gauge.axis), *inputs[1:]

    return stand_in
