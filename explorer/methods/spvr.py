"""Structured Pruning via Ranking: one ranking of all channels, and a network as wide as it says, trained again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from explorer.budget import Target
from explorer.budget.allocation import TOLERANCE, most_removable
from explorer.criteria import Scores
from explorer.criteria.masking import stages as residual_stages
from explorer.errors import ExplorerError
from explorer.methods.presets import Preset
from explorer.methods.registry import method
from explorer.methods.spec import Spec
from explorer.methods.tools import steps
from explorer.methods.tools.ending import ending
from explorer.methods.tools.outcome import Outcome
from explorer.methods.tools.stages import Memo, Stages, forgetful
from explorer.methods.tools.vanishing import Settled, Vanishing
from explorer.progress import Report, part, silent
from explorer.pruning import Plan
from explorer.recovery import Origin
from explorer.structure import Structure, without


def _target(spec: Spec) -> Target:
    """The one target.

    Raises:
        ExplorerError: something else is asked for.
    """
    targets = spec.targets()
    if spec.ratios or spec.plan or spec.skip or len(targets) != 1 or targets[0].kind not in ("params", "macs"):
        raise ExplorerError(
            "method 'spvr' finds the units itself: give one target of params or macs, such as --keep params=0.3, and "
            "no ratios or plan"
        )
    return targets[0]


PRESETS = {
    "ours": Preset(
        title="Ours",
        explanation="A mask hides channels behind batch norm and activation, as their removal does, and a channel "
        "leaves with all layers that are coupled to it, so that the weights that stay still fit one another.",
        fields={"criterion": "masking", "options": {}, "recover": "scratch", "minimum": 0.0},
    ),
    "published": Preset(
        title="As published",
        explanation="A mask sets weights to zero, so that the shift of batch norm still passes, and all layers of a "
        "residual stage shrink together, each losing its own least important sets: only weights trained anew fit.",
        repaired=(
            "The paper's sets are of 2 channels on CIFAR-10, 4 on Tiny ImageNet and 8 on ImageNet: 2 stands here, and "
            "the option size changes it.",
            "It ranks on 50 images a class, drawn evenly: here it is --samples, drawn from all.",
            "Channels that never vary correlate with nothing, which its algorithm does not foresee: here they are a "
            "set of their own.",
            "It trains 100 to 200 epochs at a rate found on a grid: here for the epochs that are asked for, at the "
            "rate of fine-tuning.",
        ),
        fields={
            "criterion": "masking",
            "options": {"masked": "weights", "coupling": "stages"},
            "recover": "scratch",
            "minimum": 0.0,
        },
    ),
}


@method(
    "spvr",
    title="SPvR",
    explanation="Structured pruning via ranking: masks sets of similar channels and watches the softmax, ranks all "
    "sets of all layers together, and drops the least until the network is small enough. Layers and residual blocks "
    "may vanish. What is left is an architecture, trained again from its beginning.",
    defaults={"criterion": "masking", "recover": "scratch", "minimum": 0.0},
    targeted=True,
    reference="Structured Pruning via Ranking (SPvR)",
    needs={"training data"},
    presets=PRESETS,
    check=_target,
)
def spvr(spec: Spec, report: Report = silent, memo: Memo = forgetful) -> Outcome:
    """Drops the least important units of all groups, ascending, until the one target of params or MACs is met.

    Scores of different layers are compared as they are. Units of a group with the same score are a set and leave
    together; so do those of a stage with the criterion's option ``coupling=stages``. The cost after every set is
    that of the network that would be left, with batch norms, biases and what reads the channels. A group keeps
    `spec.minimum`, by default nothing: see `Vanishing`; where a layer can't leave, it keeps one channel and a warning
    says so.

    The paper couples the layers of a stage (``coupling=stages``), masks weights, and searches the learning rate of the
    new training on a grid: the preset "published", but for the rate, which is that of `finetune`. By default, the
    preset "ours", units leave as coupled groups, as with any criterion. `PRESETS` says what was repaired.

    Steps are remembered as in `one_shot`. `Outcome.as_cut` is the base model cut so.

    Raises:
        ExplorerError: bad refs or names, another request than one target of params or MACs, or one that removes
            nothing.
        Cancelled: the report asked to stop.
    """
    target = _target(spec)
    subject = steps.open_subject(spec, part(report, 0.0, 0.05))
    steps.known_groups(subject.structure, spec.locked)
    vanishing = Vanishing(subject.module, subject.structure, subject.loaded.example())
    subject = replace(subject, structure=vanishing.structure)
    stages = Stages(spec.seed, report, memo)
    ranking = stages("scores", 0.05, 0.4, "ranking", lambda report: steps.score_subject(subject, spec, report))
    scores = steps.scores_of(ranking)
    proposal = propose(vanishing, scores, target, spec)
    if proposal.plan.empty:
        raise ExplorerError(f"nothing would be removed: no set of channels can leave for {target}; ask for more")
    base = stages("base", 0.4, 0.45, "measuring the base model", steps.measured(subject, subject.module))
    result = steps.cut_exactly(subject, proposal.plan)
    as_cut = stages("cut", 0.45, 0.5, "measuring the cut", steps.measured(subject, result.module))
    origin = Origin(subject.module, subject.structure, proposal.plan)
    recovery = stages("recovery", 0.5, 0.95, "recovering", steps.recovered(subject, spec, result.module, origin))
    return ending(
        subject,
        spec,
        stages,
        proposal.plan,
        result,
        base=base,
        as_cut=as_cut,
        recovery=recovery,
        scores=scores,
        warnings=[*proposal.warnings, *_warnings(subject, spec, scores)],
        start=0.95,
    )


@dataclass(frozen=True)
class Proposal:
    """The plan that a ranking leads to, and what is to be said about it."""

    plan: Plan
    warnings: tuple[str, ...]


def propose(vanishing: Vanishing, scores: Scores, target: Target, spec: Spec) -> Proposal:
    """The first network of the ranking that meets the target; where none does, the smallest."""
    structure = vanishing.structure
    goal = target.goal(target.of(structure.cost()))
    best, least = vanishing.settle(structure.full), target.of(structure.cost())
    drops = _drops(structure, scores, spec)
    while least > goal and (kept := next(drops, None)) is not None:
        settled = vanishing.settle(kept)
        cost = target.of(structure.cost(settled.kept, settled.blocks))
        if cost < least:
            best, least = settled, cost
    return Proposal(_plan(structure, scores, best, spec.model), tuple(_remarks(vanishing, best, target, least, goal)))


def _drops(structure: Structure, scores: Scores, spec: Spec) -> Iterator[dict[str, int]]:
    """How many units of every group stay, after each set that leaves."""
    tied = residual_stages(structure) if spec.options.get("coupling") == "stages" else [(n,) for n in structure.groups]
    floors = {
        name: units - most_removable(structure, name, spec.minimum) if spec.minimum else 0
        for name, units in structure.full.items()
    }
    sets = []
    for number, names in enumerate(tied):
        if set(names) & {*spec.locked, *scores.skipped}:
            continue
        counts: dict[float, dict[str, int]] = {}
        for name in names:
            for score in scores.groups[name]:
                counts.setdefault(float(score), dict.fromkeys(names, 0))[name] += 1
        sets += [(score, number, leaving) for score, leaving in counts.items()]
    kept = dict(structure.full)
    for _, _, leaving in sorted(sets, key=lambda entry: entry[:2]):
        after = {name: kept[name] - count for name, count in leaving.items()}
        if all(after[name] >= floors[name] for name in leaving):
            kept |= after
            yield dict(kept)


def _plan(structure: Structure, scores: Scores, settled: Settled, base: str) -> Plan:
    remove = {}
    for name, group in without(structure, settled.blocks).groups.items():
        count = group.units - settled.kept[name]
        if count:
            remove[name] = tuple(np.argsort(scores.groups[name], kind="stable")[:count].tolist())
    return Plan(base, remove, settled.blocks).check(structure)


def _remarks(vanishing: Vanishing, settled: Settled, target: Target, cost: int, goal: float) -> Iterator[str]:
    """What a person should know about the network that was found."""
    if settled.held:
        reasons = "; ".join(f"{name}: {vanishing.reason(name)}" for name in settled.held)
        yield (
            f"{', '.join(settled.held)} would vanish, which only residual blocks, stages that begin with a projection, "
            f"and convolutions that keep the size of their maps can: one channel stays ({reasons})"
        )
    if cost > goal * (1 + TOLERANCE):
        whole = target.of(vanishing.structure.cost())
        yield f"{target} is not met: the smallest network of the ranking keeps {target.kind}={cost / whole:.3g}"


def _warnings(subject: steps.Subject, spec: Spec, scores: Scores) -> Iterator[str]:
    if (sentence := steps.unscored(scores)) is not None:
        yield sentence
    if (meaningless := steps.meaningless_scores(subject.task, spec.criterion)) is not None:
        yield meaningless
    if spec.recover != "scratch":
        yield f"SPvR's result is an architecture to be trained from its beginning: recovery is {spec.recover!r} here"
