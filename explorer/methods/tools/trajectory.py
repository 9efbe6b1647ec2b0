"""The trajectory of a gradual method: steps that are tried, judged on the validation slice, and kept or taken back."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from explorer.criteria import Scores
from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.methods.tools import steps
from explorer.methods.tools.ending import ending
from explorer.methods.tools.outcome import Outcome
from explorer.methods.tools.pace import Pace
from explorer.methods.tools.stages import Memo, Record, Stages
from explorer.progress import Report, part
from explorer.pruning import Plan, cut
from explorer.pruning.remaining import in_original, remaining
from explorer.recovery import Origin
from explorer.tasks import METRICS, evaluate

FIRST, LAST = 0.1, 0.9  # the stretch of a run that its steps take
_ROUNDING = 1e-9


@dataclass(frozen=True)
class State:
    """A model on the way: the plan that leads to it from the base, its weights, its metric, what recovered it."""

    plan: Plan
    value: float
    tensors: dict[str, Tensor] = field(default_factory=dict, repr=False)
    recovery: dict[str, Any] = field(default_factory=dict)


class Trajectory:
    """The steps of one run. `best` is the last model that was kept, `history` what the result tells of each step."""

    def __init__(self, spec: Spec, pace: Pace, report: Report, subject: steps.Subject, stages: Stages) -> None:
        self.spec, self.pace, self.subject, self.stages = spec, pace, subject, stages
        self._report = report
        self.metric = METRICS[subject.task.metric]
        self.measured = stages("base", 0.04, 0.08, "measuring the base model", steps.measured(subject, subject.module))
        start = stages("start", 0.08, FIRST, "validating the base model", self._validated)
        self.base = start.values["value"]
        self.best = State(Plan(spec.model), self.base)
        self.history: list[dict[str, Any]] = []
        self._tell(0, self.base, self.best.plan, rolled_back=False, fraction=FIRST)

    @property
    def accepted(self) -> int:
        """How many steps were kept."""
        return sum(not entry["rolled_back"] for entry in self.history)

    def current(self) -> steps.Subject:
        """The subject with the best model so far in place of the base, always built from what the memo remembers."""
        structure, plan = self.subject.structure, self.best.plan
        module = cut(self.subject.module, structure, plan).module
        if self.best.tensors:
            module.load_state_dict(self.best.tensors)
        loaded = replace(self.subject.loaded, module=module.eval())
        return replace(self.subject, loaded=loaded, structure=remaining(structure, plan))

    def attempt(
        self, current: steps.Subject, further: Plan, limit: float, start: float, stop: float, facts: Mapping[str, Any]
    ) -> bool:
        """Cuts, recovers and measures; whether the metric fell by `limit` at most, so that the result is the best.

        Args:
            current: what `current` gave; `further` is what leaves it.
            start: where in the run the step begins, `stop` where it ends.
            facts: what the history tells of the step besides.
        """
        number, plan = len(self.history) + 1, in_original(self.subject.structure, self.best.plan, further)

        def work(report: Report) -> Record:
            smaller = cut(current.module, current.structure, further).module
            before = self._validate(smaller, part(report, 0.0, 0.03))
            recover = self._recovered(current, smaller, further, number)
            record = recover(part(report, 0.03, 0.97))
            after = self._validate(smaller, part(report, 0.97, 1.0))
            values = {
                "before": before,
                "after": after,
                "recovery": record.values,
                "rolled_back": self.base - after > limit + _ROUNDING,
                "plan": plan.to_json(),
                "attributes": cut(self.subject.module, self.subject.structure, plan).attributes,
            }
            return Record(values, record.tensors)

        title = f"step {number}, without {facts['block']}" if "block" in facts else f"step {number}"
        record = self.stages(f"step-{number:02}", start, stop, title, work)
        after, rolled_back = record.values["after"], record.values["rolled_back"]
        cost = plan.cost(self.subject.structure)
        self.history.append(
            {
                "step": number,
                **facts,
                "macs": cost.macs,
                "params": cost.params,
                f"{self.metric.name}_before": record.values["before"],
                f"{self.metric.name}_after": after,
                "seconds": record.values["step_seconds"],
                "rolled_back": rolled_back,
                "kept": {group["name"]: group["kept"] for group in steps.widths(self.subject.structure, plan)},
            }
        )
        if not rolled_back:
            self.best = State(plan, after, record.tensors, record.values["recovery"])
        self._tell(number, after, plan, rolled_back=rolled_back, fraction=stop, before=record.values["before"])
        return not rolled_back

    def recover_again(self, start: float, stop: float) -> None:
        """Recovers the best model once more, and keeps that where the metric is no lower for it."""

        def work(report: Report) -> Record:
            current = self.current()
            recover = self._recovered(current, current.module, Plan(self.spec.model), len(self.history) + 1)
            record = recover(part(report, 0.0, 0.97))
            after = self._validate(current.module, part(report, 0.97, 1.0))
            return Record({"after": after, "recovery": record.values}, record.tensors)

        record = self.stages("final", start, stop, "recovering once more", work)
        if record.values["after"] >= self.best.value:
            self.best = State(self.best.plan, record.values["after"], record.tensors, record.values["recovery"])

    def ending(self, scores: Scores | None, warnings: Iterator[str]) -> Outcome:
        """Cuts the base model by the best plan at once, measures that, and the best model.

        Raises:
            ExplorerError: nothing was removed, and why.
        """
        if self.best.plan.empty:
            raise ExplorerError(self._refusal())
        result = steps.cut_exactly(self.subject, self.best.plan)
        as_cut = self.stages("cut", LAST, 0.95, "measuring the cut", steps.measured(self.subject, result.module))
        return ending(
            self.subject,
            self.spec,
            self.stages,
            self.best.plan,
            result,
            base=self.measured,
            as_cut=as_cut,
            recovery=Record(self.best.recovery, self.best.tensors),
            scores=scores,
            warnings=[*warnings, *self._taken_back()],
            start=0.95,
            history=self.history,
        )

    def kept(self, plan: Plan) -> dict[str, float]:
        """What a plan leaves of params and MACs."""
        structure = self.subject.structure
        return steps.fractions(plan.cost(structure), structure.cost())

    def _recovered(
        self, current: steps.Subject, module: nn.Module, further: Plan, number: int
    ) -> Callable[[Report], Record]:
        """The recovery of what `further` leaves of the current model."""
        teacher = current.module if self.pace.teacher == "previous" else self.subject.module
        origin = Origin(current.module, current.structure, further)
        return steps.recovered(self.subject, self.spec, module, origin, teacher=teacher, seed=self.spec.seed + number)

    def _validated(self, report: Report) -> Record:
        return Record({"value": self._validate(self.subject.module, report)})

    def _validate(self, module: nn.Module, report: Report) -> float:
        task = self.subject.task
        return evaluate(module, task.validation, kind=task.kind, device=self.subject.device, report=report).value

    def _tell(
        self,
        number: int,
        value: float,
        plan: Plan,
        *,
        rolled_back: bool,
        fraction: float,
        before: float | None = None,
    ) -> None:
        """A point of the trajectory for whoever watches; `before` is the metric as cut."""
        structure = self.subject.structure
        cost = plan.cost(structure)
        widths = {f"width/{group['name']}": group["kept"] for group in steps.widths(structure, plan)}
        found = f"{self.kept(plan)['macs']:.1%} of the MACs, validation {self.metric.short} {self.metric.text(value)}"
        metrics = {"step": number, "macs": cost.macs, "params": cost.params, "rolled_back": int(rolled_back)}
        if before is not None:
            metrics[f"{self.metric.name}_before"] = before
        last = ", taken back" if rolled_back else ""
        self._report(fraction, f"step {number}: {found}{last}", **metrics, **{self.metric.name: value}, **widths)

    def _taken_back(self) -> Iterator[str]:
        taken_back = len(self.history) - self.accepted
        if taken_back:
            yield f"{taken_back} of {len(self.history)} steps passed the limit and were taken back"

    def _refusal(self) -> str:
        if not self.history:
            return "nothing would be removed: every group is locked, at its minimum or without scores; ask for more"
        found = min(self.history, key=lambda entry: self.base - entry[f"{self.metric.name}_after"])
        lost = self.metric.difference(found[f"{self.metric.name}_after"] - self.base)
        return (
            f"no step stays within the limit, the best changes validation {self.metric.short} by {lost}: "
            "allow a larger --max-drop, more --epochs or more --steps"
        )


def open_trajectory(spec: Spec, pace: Pace, report: Report, memo: Memo) -> Trajectory:
    """The trajectory of a gradual method, with the base model measured.

    Raises:
        ExplorerError: bad refs or names, or data whose accuracy means nothing.
    """
    subject = steps.open_subject(spec, part(report, 0.0, 0.04))
    if not subject.task.measured:
        raise ExplorerError(
            f"{spec.method} decides by accuracy, and on {spec.data!r} it means nothing: use --method one-shot"
        )
    steps.known_groups(subject.structure, spec.locked)
    return Trajectory(spec, pace, report, subject, Stages(spec.seed, report, memo))
