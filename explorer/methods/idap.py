"""IDAP++: first channels leave a few at a time, as in IFAP, then whole residual blocks, the least divergent first."""

from collections.abc import Iterator

from explorer.criteria.divergence import block_divergence
from explorer.methods.presets import Preset
from explorer.methods.registry import METHODS, method
from explorer.methods.spec import Spec
from explorer.methods.tools import steps
from explorer.methods.tools.gradual_settings import LIMITED, PACED
from explorer.methods.tools.narrowing import Narrowing
from explorer.methods.tools.outcome import Outcome
from explorer.methods.tools.pace import Pace
from explorer.methods.tools.stages import Memo, Record, forgetful
from explorer.methods.tools.trajectory import FIRST, LAST, Trajectory, open_trajectory
from explorer.progress import Report, silent
from explorer.pruning import Plan
from explorer.registry import Choice, Number

_NARROWED, _SHORTENED = 0.6, 0.84  # where in the run the two stages end


SETTINGS = {
    **LIMITED,
    "blocks": Number(None, 0, 1e6, "how many residual blocks may leave; by itself: what accuracy allows", whole=True),
    "block_order": Choice(
        "divergence",
        ("divergence", "loss"),
        "by how little a block changes its input, or by the loss without it",
    ),
    **PACED,
}
PRESETS = {
    "ours": Preset(
        title="Ours",
        explanation="Divergences are divided by each group's mean before layers are compared, activations are seen "
        "as the next layer sees them, the base model teaches, and blocks leave as long as accuracy allows.",
        fields={"criterion": "divergence", "options": {}, "normalise": "mean", "recover": "distill", "minimum": 0.1},
        settings={
            "teacher": "base",
            "growth": 1.5,
            "rho": None,
            "max_drop": 0.02,
            "past_limit": "shallower",
            "blocks": None,
            "block_order": "divergence",
        },
    ),
    # The published code's score of filters is IFAP's divided by C·H·W: the criterion flow with that scale.
    "published": Preset(
        title="As published",
        explanation="Raw divergences of all layers stand in one ranking, with the ReLU of what a layer gives before "
        "batch norm as the activation, the step before teaches, and at most five blocks leave.",
        repaired=(
            "The published code takes out the most divergent block first, against its text, and compares accuracy "
            "with the wrong sign: here the least divergent goes first, and stays out if accuracy allows.",
            "It has two measures under one name: channels are ranked by products of norms, and blocks here by how "
            "much they change their input, as in its code for residual blocks.",
            "It scores the neurons of a linear layer by their weights alone, since one number stands for all their "
            "activations: here each neuron has its own.",
            "It keeps a channel's layers apart, and cuts by indices that earlier cuts have moved: here a channel is "
            "scored once, and all cuts are by indices of now.",
            "A layer that changes the shape is replaced by a projection there: here only blocks that can be bypassed "
            "as they are leave.",
            "It judges by test data: here validation data decides.",
        ),
        fields={
            "criterion": "flow",
            "options": {"scale": "chw", "activation": "relu"},
            "normalise": "none",
            "recover": "distill",
            "minimum": 1.0,
            "steps": 20,
        },
        settings={
            "teacher": "previous",
            "growth": 1.5,
            "rho": 0.1,
            "max_drop": 0.05,
            "past_limit": "stop",
            "blocks": 5,
            "block_order": "divergence",
        },
    ),
}


@method(
    "idap",
    title="IDAP++",
    explanation="Removes channels step by step as IFAP does, by their information flow divergence. Then takes out "
    "whole residual blocks, the one that changes its input least first, as long as validation accuracy allows.",
    defaults={"criterion": "divergence", "recover": "distill"},
    gradual=True,
    reference="IDAP++ (arXiv:2511.20141)",
    needs={"data with labels", "training data"},
    presets=PRESETS,
    settings=SETTINGS,
    rank=60,
)
def idap(spec: Spec, report: Report = silent, memo: Memo = forgetful) -> Outcome:
    """Prunes in two stages: width as in `ifap`, up to the target where there is one, then depth beyond it.

    Stage 2 takes up to `blocks` residual blocks out, in ascending order of their divergence (or by how much the
    loss grows without them: `block_order`), which is found anew after each that leaves. A block is replaced by
    its input, the rest recovers like after any step, and stays so if the validation metric has fallen since the base
    by at most the share of the error budget that so many blocks may use:

        ``d + (max_drop − d)·(used + 1) / planned``

    d is what stage 1 has used of `max_drop`, `used` counts the blocks that have left and `planned` those that may.
    Otherwise the model before is restored, and the block is not tried again. A last recovery follows, kept where the
    metric is no lower for it. The preset "published" has the published code's ranking, teacher and schedule, as far as
    they can be run; `PRESETS` says what was repaired. The defaults are the preset "ours".

    Steps are remembered, reported and told as in `ifap`; those of stage 2 have a `block`, its `divergence` and the
    `limit` of the drop besides.

    Raises:
        ExplorerError: bad refs or names, data whose accuracy means nothing, or no step within the limit.
        Cancelled: the report asked to stop.
    """
    told = METHODS["idap"].told(spec)
    trajectory = open_trajectory(spec, Pace.of(told), report, memo)
    narrowing = Narrowing(trajectory, FIRST, _NARROWED)
    narrowing.run()
    shortening = Shortening(trajectory, _NARROWED, _SHORTENED, most=told["blocks"], order=told["block_order"])
    shortening.run()
    if shortening.used and spec.recover != "none":
        trajectory.recover_again(_SHORTENED, LAST)
    return trajectory.ending(narrowing.scores, iter([*narrowing.warnings(), *shortening.warnings()]))


class Shortening:
    """The steps that take residual blocks out, on the part of a trajectory from `first` to `last`."""

    def __init__(self, trajectory: Trajectory, first: float, last: float, *, most: int | None, order: str) -> None:
        self._trajectory, self._spec = trajectory, trajectory.spec
        self._first, self._last = first, last
        self._most, self._order = most, order
        self._tried: set[str] = set()
        self.used = 0

    def run(self) -> None:
        """Makes the steps."""
        trajectory = self._trajectory
        current = trajectory.current()
        candidates = len(self._free(current))
        planned = candidates if self._most is None else min(self._most, candidates)
        spent = max(0.0, trajectory.base - trajectory.best.value)
        while self.used < planned and (names := self._free(current)):
            found = self._divergence(current, len(self._tried) / candidates)
            name = min(names, key=found.__getitem__)
            limit = error_budget(trajectory.pace.max_drop, spent, self.used, planned)
            start, stop = (self._stretch((len(self._tried) + i) / candidates) for i in (0.1, 1))
            facts = {"rho": 0.0, "removed": 0, "block": name, "divergence": found[name], "limit": limit}
            self._tried.add(name)
            if trajectory.attempt(current, Plan(self._spec.model, blocks=(name,)), limit, start, stop, facts):
                self.used += 1
                current = trajectory.current()

    def warnings(self) -> Iterator[str]:
        """What a person should know about depth."""
        if not self._trajectory.subject.structure.blocks:
            yield "the model has no residual block that could be taken out: only channels were removed"

    def _free(self, current: steps.Subject) -> list[str]:
        """Blocks that were not tried yet and have no locked group inside."""
        structure = current.structure
        return [
            name
            for name in structure.blocks
            if name not in self._tried and not structure.inside(name).intersection(self._spec.locked)
        ]

    def _divergence(self, current: steps.Subject, share: float) -> dict[str, float]:
        """Of the blocks of the current model; a step that was taken back does not change it."""
        spec = self._spec

        def work(report: Report) -> Record:
            found = block_divergence(
                current.module,
                current.structure,
                current.task.calibration,
                by=self._order,
                device=current.device,
                samples=spec.samples,
                seed=spec.seed,
                report=report,
            )
            return Record({"blocks": found})

        start, stop = self._stretch(share), self._stretch(share + 0.05 / len(current.structure.blocks))
        title = "measuring what the blocks do"
        return self._trajectory.stages(f"blocks-{self.used:02}", start, stop, title, work).values["blocks"]

    def _stretch(self, share: float) -> float:
        return self._first + (self._last - self._first) * share


def error_budget(max_drop: float, spent: float, used: int, planned: int) -> float:
    """By how much the metric may have fallen after one more block: its share of what `spent` has left of `max_drop`."""
    return spent + (max_drop - spent) * (used + 1) / planned
