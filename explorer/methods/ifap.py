"""Iterative Flow-Aware Pruning: many small cuts, each chosen by fresh scores and recovered from before the next."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from explorer.budget.allocation import TOLERANCE
from explorer.criteria import Scores
from explorer.errors import ExplorerError
from explorer.evaluation import METRICS, evaluate
from explorer.methods import steps
from explorer.methods.one_shot import afterthoughts
from explorer.methods.outcome import Outcome
from explorer.methods.registry import method
from explorer.methods.schedule import Choice, Schedule
from explorer.methods.stages import Memo, Record, Stages, forgetful
from explorer.progress import Report, part, silent
from explorer.pruning import Plan, cut
from explorer.pruning.remaining import in_original, remaining

if TYPE_CHECKING:
    from explorer.runs.spec import Spec

SHALLOWEST = 0.25  # of a step's depth, which is halved when a cut passes the accuracy limit
_FIRST, _LAST = 0.1, 0.9  # the stretch of the run that the steps take


@method(
    "ifap",
    title="IFAP",
    explanation="Iterative flow-aware pruning: scores, cuts a few channels, distils and measures, again and again, "
    "until the target is met or the validation accuracy falls too far. A step that falls too far is taken back.",
    defaults={"criterion": "flow", "recover": "distill"},
    gradual=True,
)
def ifap(spec: "Spec", report: Report = silent, memo: Memo = forgetful) -> Outcome:
    """Prunes in up to `spec.steps` steps; step t removes the share ``ρ₀·(1 + t/T)^α`` of the units that remain.

    Every step scores the model as it then is on the calibration slice, takes the lowest units of all groups, cuts,
    recovers (from the base model or the step before as the teacher) and measures on the validation slice. Where the
    metric has fallen by more than `spec.max_drop` since the base, the step is taken back and tried half as deep, then
    a quarter; where that fails too the run ends. After a success the next step is twice as deep again. The result is
    the smallest model within the limit. A target without ρ₀ makes the shares those of its cost, so that step T lands
    on it: see `Schedule`.

    Every step is remembered by the `memo` and reported with its `step`, `macs`, `params`, metric, `rolled_back` and
    ``width/GROUP`` in channels. `Outcome.steps` has for each ``{step, rho, removed, macs, params, METRIC_before,
    METRIC_after, seconds, rolled_back, kept}``: METRIC before and after recovery, `removed` in units, `kept` the
    channels of each group. `Outcome.as_cut` is the base model cut by the final plan at once.

    Raises:
        ExplorerError: bad refs or names, data whose accuracy means nothing, or no step within the limit.
        Cancelled: the report asked to stop.
    """
    subject = steps.open_subject(spec, part(report, 0.0, 0.04))
    if not subject.task.measured:
        raise ExplorerError(f"ifap decides by accuracy, and on {spec.data!r} it means nothing: use --method one-shot")
    steps.known_groups(subject.structure, spec.locked)
    stages = Stages(spec.seed, report, memo)
    base = stages("base", 0.04, 0.08, "measuring the base model", steps.measured(subject, subject.module))
    course = _Course(subject, spec, stages, report)
    course.run()
    result = steps.cut_exactly(subject, course.best.plan)
    as_cut = stages("cut", 0.9, 0.95, "measuring the cut", steps.measured(subject, result.module))
    result.module.load_state_dict(course.best.tensors)
    result.module.eval()
    pruned = stages("pruned", 0.95, 1.0, "measuring the pruned model", steps.measured(subject, result.module))
    warnings = [*course.warnings(), *course.best.recovery["warnings"]]
    warnings += afterthoughts(spec, base.values, as_cut.values, pruned.values)
    return Outcome(
        loaded=subject.loaded,
        task=subject.task,
        structure=subject.structure,
        device=subject.device,
        module=result.module,
        plan=course.best.plan,
        attributes=result.attributes,
        base=steps.measurement(base),
        as_cut=steps.measurement(as_cut),
        pruned=steps.measurement(pruned),
        target=spec.keep,
        achieved=course.kept(course.best.plan),
        groups=steps.widths(subject.structure, course.best.plan),
        scores=steps.summary(course.scores),
        recovery=course.best.recovery,
        warnings=warnings,
        seconds=stages.seconds,
        steps=course.history,
    )


@dataclass(frozen=True)
class _State:
    """A model on the way: the plan that leads to it from the base, its weights, and what recovered it."""

    plan: Plan
    tensors: dict[str, Tensor] = field(repr=False)
    recovery: dict[str, Any]


class _Course:
    """The steps of one run. `best` is the last model within the limit, `history` what the result tells of each step."""

    def __init__(self, subject: steps.Subject, spec: "Spec", stages: Stages, report: Report) -> None:
        self._subject, self._spec, self._stages, self._report = subject, spec, stages, report
        self._metric = METRICS[subject.task.metric]
        self.best = _State(Plan(spec.model), {}, {})
        self.history: list[dict[str, Any]] = []
        self.scores: Scores | None = None
        self._ending = ""

    def run(self) -> None:
        """Makes the steps.

        Raises:
            ExplorerError: none of them stays within the limit, or nothing can be removed.
        """
        start = self._stages("start", 0.08, _FIRST, "validating the base model", self._validated)
        self._base = start.values["value"]
        self._tell(0, self._base, self.best.plan, rolled_back=False)
        schedule = Schedule(self._spec, self._subject.structure)
        t, depth, landed = 0.0, 1.0, False
        while t < self._spec.steps and not landed:
            current = self._current()
            chosen = schedule.choose(current.structure, self._scored(current, t), t, depth)
            if chosen.plan.empty:
                self._ending = "no group can lose another unit"
                break
            if self._step(current, chosen, t, depth):
                t, depth, landed = t + depth, min(1.0, 2 * depth), chosen.lands
                self._ending = "single units are too large to come nearer" if landed else self._ending
            elif depth == SHALLOWEST:
                limit = self._metric.difference(self._spec.max_drop)[1:]
                self._ending = f"a further step loses more than {limit} of validation {self._metric.short}"
                break
            else:
                depth /= 2
        if self.best.plan.empty:
            raise ExplorerError(self._refusal())

    def _step(self, current: steps.Subject, chosen: Choice, t: float, depth: float) -> bool:
        """Cuts, recovers and measures; whether the result is within the limit and now the best."""
        number, plan = len(self.history) + 1, in_original(self._subject.structure, self.best.plan, chosen.plan)
        start, stop = self._stretch(t + 0.1 * depth), self._stretch(t + depth)

        def work(report: Report) -> Record:
            smaller = cut(current.module, current.structure, chosen.plan).module
            before = self._validate(smaller, part(report, 0.0, 0.03))
            teacher = current.module if self._spec.teacher == "previous" else self._subject.module
            seed = self._spec.seed + number
            recover = steps.recovered(self._subject, self._spec, smaller, teacher=teacher, seed=seed)
            record = recover(part(report, 0.03, 0.97))
            after = self._validate(smaller, part(report, 0.97, 1.0))
            return Record({"before": before, "after": after, "recovery": record.values}, record.tensors)

        record = self._stages(f"step-{number:02}", start, stop, f"step {number}", work)
        after = record.values["after"]
        good = self._base - after <= self._spec.max_drop + 1e-9
        cost = self._subject.structure.cost(plan.kept(self._subject.structure))
        self.history.append(
            {
                "step": number,
                "rho": chosen.rho,
                "removed": chosen.removed,
                "macs": cost.macs,
                "params": cost.params,
                f"{self._metric.name}_before": record.values["before"],
                f"{self._metric.name}_after": after,
                "seconds": record.values["step_seconds"],
                "rolled_back": not good,
                "kept": {group["name"]: group["kept"] for group in steps.widths(self._subject.structure, plan)},
            }
        )
        if good:
            self.best = _State(plan, record.tensors, record.values["recovery"])
        self._tell(number, after, plan, rolled_back=not good, fraction=stop)
        return good

    def _current(self) -> steps.Subject:
        """The subject with the best model so far in place of the base, always built from what the memo remembers."""
        structure, plan = self._subject.structure, self.best.plan
        module = cut(self._subject.module, structure, plan).module
        if self.best.tensors:
            module.load_state_dict(self.best.tensors)
        loaded = replace(self._subject.loaded, module=module.eval())
        return replace(self._subject, loaded=loaded, structure=remaining(structure, plan))

    def _scored(self, current: steps.Subject, t: float) -> Scores:
        """Scores of the current model; a step that was taken back does not change them."""
        name = f"scores-{sum(not entry['rolled_back'] for entry in self.history):02}"
        start, stop, title = self._stretch(t), self._stretch(t + 0.1 * SHALLOWEST), "scoring the channels"
        record = self._stages(name, start, stop, title, lambda report: steps.score_subject(current, self._spec, report))
        self.scores = steps.scores_of(record)
        return self.scores

    def _validated(self, report: Report) -> Record:
        return Record({"value": self._validate(self._subject.module, report)})

    def _validate(self, module: nn.Module, report: Report) -> float:
        task = self._subject.task
        return evaluate(module, task.validation, kind=task.kind, device=self._subject.device, report=report).value

    def _stretch(self, t: float) -> float:
        return _FIRST + (_LAST - _FIRST) * t / self._spec.steps

    def _tell(self, number: int, value: float, plan: Plan, *, rolled_back: bool, fraction: float = _FIRST) -> None:
        """A point of the trajectory for whoever watches."""
        structure = self._subject.structure
        cost = structure.cost(plan.kept(structure))
        widths = {f"width/{group['name']}": group["kept"] for group in steps.widths(structure, plan)}
        found = f"{self.kept(plan)['macs']:.1%} of the MACs, validation {self._metric.short} {self._metric.text(value)}"
        metrics = {"step": number, "macs": cost.macs, "params": cost.params, "rolled_back": int(rolled_back)}
        ending = ", taken back" if rolled_back else ""
        self._report(fraction, f"step {number}: {found}{ending}", **metrics, **{self._metric.name: value}, **widths)

    def kept(self, plan: Plan) -> dict[str, float]:
        """What a plan leaves of params and MACs."""
        structure = self._subject.structure
        return steps.fractions(structure.cost(plan.kept(structure)), structure.cost())

    def warnings(self) -> Iterator[str]:
        """What a person should know about where the steps ended."""
        target = self._spec.target()
        if target is not None:
            achieved = self.kept(self.best.plan)[target.kind]
            if abs(achieved - target.keep) > TOLERANCE * target.keep:
                reason = self._ending or "after steps were taken back, the others went less deep"
                yield f"{target} is not met, the smallest model is {target.kind}={achieved:.3g}: {reason}"
        taken_back = sum(entry["rolled_back"] for entry in self.history)
        if taken_back:
            yield f"{taken_back} of {len(self.history)} steps passed the limit and were taken back"
        if self.scores is not None and self.scores.skipped:
            name, reason = next(iter(self.scores.skipped.items()))
            yield f"{len(self.scores.skipped)} groups have no score and stay whole, such as {name}: {reason}"

    def _refusal(self) -> str:
        if not self.history:
            return "nothing would be removed: every group is locked, at its minimum or without scores; ask for more"
        found = min(self.history, key=lambda entry: self._base - entry[f"{self._metric.name}_after"])
        lost = self._metric.difference(found[f"{self._metric.name}_after"] - self._base)
        return (
            f"no step stays within the limit, the best changes validation {self._metric.short} by {lost}: "
            "allow a larger --max-drop, more --epochs or more --steps"
        )
