"""Iterative Flow-Aware Pruning: many small cuts, each chosen by fresh scores and recovered from before the next."""

from explorer.methods.registry import METHODS, method
from explorer.methods.spec import Spec
from explorer.methods.tools.narrowing import Narrowing
from explorer.methods.tools.outcome import Outcome
from explorer.methods.tools.pace import Pace
from explorer.methods.tools.stages import Memo, forgetful
from explorer.methods.tools.trajectory import FIRST, LAST, open_trajectory
from explorer.progress import Report, silent
from explorer.registry import Choice, Number

SETTINGS = {
    "max_drop": Number(0.02, 0, 1e6, "by how much the validation metric may fall below the base model's"),
    "teacher": Choice("base", ("base", "previous"), "whom a distillation imitates: the base model, or the step before"),
    "growth": Number(1.5, 0, 100, "α: step t of T removes ρ₀·(1 + t/T)^α of the units that remain; 0: all alike"),
    "rho": Number(None, 0, 1, "ρ₀, the share of the units that the first step removes; by itself: what meets a target"),
}


@method(
    "ifap",
    title="IFAP",
    explanation="Iterative flow-aware pruning: scores, cuts a few channels, distils and measures, again and again, "
    "until the target is met or the validation accuracy falls too far. A step that falls too far is taken back.",
    defaults={"criterion": "flow", "recover": "distill"},
    gradual=True,
    reference="Iterative Flow-Aware Pruning (IFAP)",
    needs={"data with labels", "training data"},
    settings=SETTINGS,
    rank=60,
)
def ifap(spec: Spec, report: Report = silent, memo: Memo = forgetful) -> Outcome:
    """Prunes in up to `spec.steps` steps; step t removes the share ``ρ₀·(1 + t/T)^α`` of the units that remain.

    Every step scores the model as it then is on the calibration slice, takes the lowest units of all groups, cuts,
    recovers (from the base model or the step before as the teacher) and measures on the validation slice. Where the
    metric has fallen by more than `max_drop` since the base, the step is taken back and tried half as deep, then
    a quarter; where that fails too the run ends. After a success the next step is twice as deep again. The result is
    the smallest model within the limit. A target without ρ₀ makes the shares those of its cost, so that step T lands
    on it: see `Schedule`.

    Every step is remembered by the `memo` and reported with its `step`, `macs`, `params`, metric, `rolled_back` and
    ``width/GROUP`` in channels. Its record ``step-NN`` has the weights, the `plan` that leads to them from the base,
    the `attributes` that `adapt` needs besides, and whether it was `rolled_back`. `Outcome.steps` has for each
    ``{step, rho, removed, macs, params, METRIC_before, METRIC_after, seconds, rolled_back, kept}``: METRIC before and
    after recovery, `removed` in units, `kept` the channels of each group. `Outcome.as_cut` is the base model cut by
    the final plan at once.

    Raises:
        ExplorerError: bad refs or names, data whose accuracy means nothing, or no step within the limit.
        Cancelled: the report asked to stop.
    """
    trajectory = open_trajectory(spec, Pace.of(METHODS["ifap"].told(spec)), report, memo)
    narrowing = Narrowing(trajectory, FIRST, LAST)
    narrowing.run()
    return trajectory.ending(narrowing.scores, narrowing.warnings())
