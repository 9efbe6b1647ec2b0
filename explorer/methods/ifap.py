"""Iterative Flow-Aware Pruning: many small cuts, each chosen by fresh scores and recovered from before the next."""

from explorer.methods.presets import Preset
from explorer.methods.registry import METHODS, method
from explorer.methods.spec import Spec
from explorer.methods.tools.gradual_settings import LIMITED, PACED
from explorer.methods.tools.narrowing import Narrowing
from explorer.methods.tools.outcome import Outcome
from explorer.methods.tools.pace import Pace
from explorer.methods.tools.stages import Memo, forgetful
from explorer.methods.tools.trajectory import FIRST, LAST, open_trajectory
from explorer.progress import Report, silent

SETTINGS = LIMITED | PACED
PRESETS = {
    "ours": Preset(
        title="Ours",
        explanation="Scores are divided by each group's mean, so that layers with large feature maps don't win by "
        "their size, the base model teaches throughout, and a step too far is tried again less deep.",
        fields={"criterion": "flow", "options": {}, "normalise": "mean", "recover": "distill", "minimum": 0.1},
        settings={"teacher": "base", "growth": 1.5, "rho": None, "max_drop": 0.02, "past_limit": "shallower"},
    ),
    "published": Preset(
        title="As published",
        explanation="Raw scores of all layers stand in one ranking, the step before teaches, activations are the ReLU "
        "of what a layer gives before batch norm, and the first step that falls too far ends the run.",
        repaired=(
            "The published code multiplies its share by 100 in every step, which selects everything, and the cut is "
            "then refused: the shares here are those that it means.",
            "It scores the neurons of a linear layer by their weights alone, since one number stands for all their "
            "activations: here each neuron has its own.",
            "It lists every layer of a coupled channel, and cuts by indices that earlier cuts have moved: here a "
            "channel is scored once, by the mean over the layers that make it, and all cuts are by indices of now.",
            "It ranks no convolution of 1×1: here all that can be cut are ranked.",
            "It gives back the whole model unless accuracy has risen, and keeps a step that falls too far: here the "
            "smallest model within the limit is the result.",
            "It scores, stops and chooses on test data: here that is done on training and validation data.",
            "It distils with L1 distances at three ReLUs for up to 100 epochs: here the recovery is our distillation, "
            "for the epochs that are asked for.",
        ),
        fields={
            "criterion": "flow",
            "options": {"activation": "relu"},
            "normalise": "none",
            "recover": "distill",
            "minimum": 1.0,
            "steps": 30,
        },
        settings={"teacher": "previous", "growth": 1.5, "rho": 0.1, "max_drop": 0.05, "past_limit": "stop"},
    ),
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
    presets=PRESETS,
    settings=SETTINGS,
    rank=60,
)
def ifap(spec: Spec, report: Report = silent, memo: Memo = forgetful) -> Outcome:
    """Prunes in up to `spec.steps` steps; step t removes the share ``ρ₀·(1 + t/T)^α`` of the units that remain.

    Every step scores the model as it then is on the calibration slice, takes the lowest units of all groups, cuts,
    recovers (from the base model or the step before as the teacher) and measures on the validation slice. Where the
    metric has fallen by more than `max_drop` since the base, the step is taken back and tried half as deep, then
    a quarter; where that fails too, or at once with `past_limit` "stop", the run ends. After a success the next step is
    twice as deep again. The result is the smallest model within the limit. A target without ρ₀ makes the shares those
    of its cost, so that step T lands on it: see `Schedule`.

    IFAP's text could not be read, its code is the source: the preset "published" has the code's ranking, teacher and
    schedule, as far as they can be run; `PRESETS` says what was repaired. The defaults are the preset "ours".

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
