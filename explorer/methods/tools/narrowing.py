"""Channels out of a network, a few in every step, each step chosen by fresh scores."""

from collections.abc import Iterator

from explorer.budget.allocation import TOLERANCE
from explorer.criteria import Scores
from explorer.methods.tools import steps
from explorer.methods.tools.schedule import Schedule
from explorer.methods.tools.trajectory import Trajectory

SHALLOWEST = 0.25  # of a step's depth, which is halved when a cut passes the accuracy limit


class Narrowing:
    """The steps that remove units, on the part of a trajectory from `first` to `last`."""

    def __init__(self, trajectory: Trajectory, first: float, last: float) -> None:
        self._trajectory, self._spec = trajectory, trajectory.spec
        self._first, self._last = first, last
        self.scores: Scores | None = None
        self._ending = ""
        self._reached = trajectory.best.plan

    def run(self) -> None:
        """Makes the steps, up to the target or to the largest drop that is allowed."""
        trajectory, spec = self._trajectory, self._spec
        schedule = Schedule(spec, trajectory.pace, trajectory.subject.structure)
        t, depth, landed = 0.0, 1.0, False
        while t < spec.steps and not landed:
            current = trajectory.current()
            chosen = schedule.choose(current.structure, self._scored(current, t), t, depth)
            if chosen.plan.empty:
                self._ending = "no group can lose another unit"
                break
            start, stop = self._stretch(t + 0.1 * depth), self._stretch(t + depth)
            facts = {"rho": chosen.rho, "removed": chosen.removed}
            if trajectory.attempt(current, chosen.plan, trajectory.pace.max_drop, start, stop, facts):
                t, depth, landed = t + depth, min(1.0, 2 * depth), chosen.lands
                self._ending = "single units are too large to come nearer" if landed else self._ending
            elif depth == SHALLOWEST or trajectory.pace.past_limit == "stop":
                limit = trajectory.metric.difference(trajectory.pace.max_drop)[1:]
                self._ending = f"a further step loses more than {limit} of validation {trajectory.metric.short}"
                break
            else:
                depth /= 2
        self._reached = trajectory.best.plan

    def warnings(self) -> Iterator[str]:
        """What a person should know about where the steps ended."""
        target = self._spec.target()
        if target is not None:
            achieved = self._trajectory.kept(self._reached)[target.kind]
            if abs(achieved - target.keep) > TOLERANCE * target.keep:
                reason = self._ending or "after steps were taken back, the others went less deep"
                yield f"{target} is not met, the smallest model is {target.kind}={achieved:.3g}: {reason}"
        if self.scores is not None and (sentence := steps.unscored(self.scores)):
            yield sentence

    def _scored(self, current: steps.Subject, t: float) -> Scores:
        """Scores of the current model; a step that was taken back does not change them."""
        trajectory = self._trajectory
        start, stop, title = self._stretch(t), self._stretch(t + 0.1 * SHALLOWEST), "scoring the channels"
        record = trajectory.stages(
            f"scores-{trajectory.accepted:02}",
            start,
            stop,
            title,
            lambda report: steps.score_subject(current, self._spec, report),
        )
        self.scores = steps.scores_of(record)
        return self.scores

    def _stretch(self, t: float) -> float:
        return self._first + (self._last - self._first) * t / self._spec.steps
