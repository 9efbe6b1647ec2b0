"""One run of the comparison: reach the target, and measure every stage after it."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

import torch
from torch import nn

from explorer.batches import batches
from explorer.bench.answers import packed
from explorer.bench.kept import Row
from explorer.bench.rivals.grid import UNTRAINED, Run
from explorer.bench.rivals.library import as_plan, prune_to, torch_pruning
from explorer.bench.rivals.players import REPAIR, THEIRS, Gradual, Ours, Searched, Theirs
from explorer.budget import Target
from explorer.criteria import score
from explorer.criteria.tools.context import calibration_slice
from explorer.errors import ExplorerError
from explorer.memory import KEPT
from explorer.methods import METHODS
from explorer.methods.spec import Spec
from explorer.methods.studies.best_plan import search
from explorer.methods.studies.ways import PLAIN
from explorer.methods.tools import steps
from explorer.methods.tools.at_most import at_most
from explorer.methods.tools.choosing import choose
from explorer.methods.tools.stages import seed_everything
from explorer.progress import silent
from explorer.pruning import Plan
from explorer.recovery import Origin, recover
from explorer.recovery.batchnorm import with_statistics
from explorer.structure import analyse, count
from explorer.tasks import Accuracy, evaluate, model_loss

AS_CUT, RECALIBRATED, REPAIRED, TUNED = STAGES = ("as_cut", "recalibrated", "repaired", "tuned")
TITLES = {AS_CUT: "as cut", RECALIBRATED: "recalibrated", REPAIRED: "repaired", TUNED: "fine-tuned"}
DRAWN = 0.75  # of the calibration images at most, so that seeds differ
BATCH = 64  # images of one backward pass, whose gradients are summed
NARROWING = {"max_drop": 1.0, "blocks": 0}  # of a gradual method: it is to reach the target, by channels alone
DEVICE = "cpu"  # of both sides, whose seconds are compared


@dataclass(frozen=True)
class Reached:
    """A network at its target.

    Args:
        seconds: from the whole network to this one, all looking for it included.
        origin: what it was cut from; None where the cut is not one of ours.
    """

    module: nn.Module
    seconds: float
    origin: Origin | None


class Ground:
    """What the players of one network and seed share: the network, the drawn calibration images, judge and trainer."""

    def __init__(self, run: Run) -> None:
        self.run = run
        if run.player.side == THEIRS:
            torch_pruning()  # takes seconds to load, before the clock runs
        subject, self.base = _opened(run.model, run.data, run.split)
        data = subject.task.calibration
        self.samples = min(run.samples, int(DRAWN * len(data)))
        drawn = calibration_slice(data, self.samples, run.seed)
        self.subject = replace(subject, task=replace(subject.task, calibration=drawn))
        self.task, self.device = self.subject.task, subject.device
        self.example = subject.loaded.example()
        self.judged = getattr(self.task, run.split)

    @property
    def keep(self) -> dict[str, float | str]:
        """The target as a spec has it."""
        target = Target.parse(self.run.target)
        return {target.kind: target.value}

    @property
    def goal(self) -> int:
        """The most MACs that the target allows."""
        return int(Target.parse(self.run.target).goal(self.subject.structure.cost().macs))

    def judge(self, module: nn.Module) -> dict[str, Any]:
        """The metric, and each answer."""
        found = _judged(module, self.task, self.judged, self.device)
        return {"value": found.value, "right": packed(found.right)}

    def recovered(
        self, name: str, module: nn.Module, origin: Origin | None, epochs: int | None = None, *, repaired: bool = False
    ) -> None:
        """The one place in which a network is repaired, recalibrated or trained, in place."""
        seed_everything(self.run.seed)
        task, device, seed = self.task, self.device, self.run.seed
        recover(name, module, task, device=device, epochs=epochs, seed=seed, origin=origin, repaired=repaired)

    def look(self, module: nn.Module) -> None:
        """Gives a network the gradients of the mean loss over the drawn images."""
        module.zero_grad()
        for inputs, labels in batches(self.task.calibration, BATCH):
            loss = model_loss(module, inputs, labels)
            (loss * len(inputs) / len(self.task.calibration)).backward()


def play(run: Run) -> Row:
    """Makes one run without writing anything.

    Returns:
        `run` (its digest), `side`, `player` and the other fields of the run; `drawn`, how many calibration images;
        `params` and `macs` as fractions of the whole; `metric` with its value `base` of the whole network on `tested`
        images; `reach`, the seconds to the target; and `stages`, by name each with its `value`, the answers as
        `explorer.bench.answers.packed` has them, and its `seconds` after the target was reached. A stage that has a
        plan of its own has `reach`, `params` and `macs` of its own.
    """
    row = {"run": run.digest(), **run.told()}
    try:
        ground = Ground(run)
        found = _PLAYED[type(run.player)](ground, run.player)
    except ExplorerError as error:
        return {**row, "error": str(error)}
    about = {"drawn": ground.samples, "metric": ground.task.metric, "base": ground.base, "tested": len(ground.judged)}
    return {**row, **about, **found}


def _our_choice(ground: Ground, player: Ours) -> dict[str, Any]:
    reached = _ours(ground, player)
    if ground.run.epochs == UNTRAINED:
        return _untrained(ground, reached, player.repair)
    return _repaired_and_tuned(ground, reached, player.repair)


def _repaired_and_tuned(ground: Ground, reached: Reached, repair: str) -> dict[str, Any]:
    work = partial(ground.recovered, repair, reached.module, reached.origin)
    tuning = _tuning(ground, reached, repaired=repair != "none")
    return _told(ground, reached, {TUNED: _staged(ground, reached, work, tuning)})


def _ours(ground: Ground, player: Ours) -> Reached:
    """Analysed, scored, shared out and cut."""
    run = ground.run
    seed_everything(run.seed)
    began = perf_counter()
    subject = _analysed(ground)
    scores = score(
        player.criterion,
        subject.module,
        subject.structure,
        ground.task.calibration,
        device=ground.device,
        seed=run.seed,
    )
    target = Target.parse(run.target)

    def share_out(keep: float) -> tuple[Plan, float]:
        spec = replace(_spec(ground, player.criterion), allocate=player.allocate, keep={target.kind: keep})
        plan, *_ = choose(subject, spec, scores)
        return plan, plan.cost(subject.structure).macs / subject.structure.cost().macs

    return _cut(subject, at_most(_share(target), share_out), began)


def _searched(ground: Ground, player: Searched) -> dict[str, Any]:
    """The plan of every stage, searched for by what the stage does."""
    stages: dict[str, Any] = {}
    if ground.run.epochs != UNTRAINED:
        return _repaired_and_tuned(ground, _best(ground, player, "repair"), player.repair)
    for stage, after, recovery in (
        (AS_CUT, "none", None),
        (RECALIBRATED, "bn", "bn"),
        (REPAIRED, "repair", player.repair),
    ):
        if stage == RECALIBRATED and not with_statistics(ground.subject.module):
            continue
        reached = _best(ground, player, after)
        work = [] if recovery is None else [partial(ground.recovered, recovery, reached.module, reached.origin)]
        stages[stage] = _staged(ground, reached, *work) | {"reach": reached.seconds, **_left(ground, reached)}
    return _told(ground, reached, stages)


def _best(ground: Ground, player: Searched, after: str) -> Reached:
    """The cut that loses least on validation images, of those that the criteria propose."""
    seed_everything(ground.run.seed)
    began = perf_counter()
    subject = _analysed(ground)
    first, *others = player.criteria
    share = _share(Target.parse(ground.run.target))
    spec = _spec(ground, first)
    found = search(spec, (share,), ways=PLAIN, criteria=others, after=after, subject=subject)
    return _cut(subject, found.best[0].plan, began)


def _analysed(ground: Ground) -> steps.Subject:
    return replace(ground.subject, structure=analyse(ground.subject.module, ground.example))


def _spec(ground: Ground, criterion: str) -> Spec:
    run = ground.run
    return Spec(run.model, run.data, criterion=criterion, seed=run.seed, samples=ground.samples, device=DEVICE)


def _cut(subject: steps.Subject, plan: Plan, began: float) -> Reached:
    module = steps.cut_exactly(subject, plan).module
    return Reached(module, perf_counter() - began, Origin(subject.module, subject.structure, plan))


def _rival(ground: Ground, player: Theirs) -> dict[str, Any]:
    if player.trained:
        return _trained_between(ground, player)
    reached = _theirs(ground, player)
    if ground.run.epochs == UNTRAINED:
        return _untrained(ground, reached, REPAIR)
    return _told(ground, reached, {TUNED: _staged(ground, reached, _tuning(ground, reached))})


def _theirs(ground: Ground, player: Theirs) -> Reached:
    subject = ground.subject
    seed_everything(ground.run.seed)
    began = perf_counter()
    narrower = prune_to(subject.module, subject.structure, ground.example, ground.goal, player.way, ground.look)
    seconds = perf_counter() - began
    plan = as_plan(subject.module, subject.structure, narrower)
    origin = None if plan is None else Origin(subject.module, subject.structure, plan)
    return Reached(narrower.module, seconds, origin)


def _trained_between(ground: Ground, player: Theirs) -> dict[str, Any]:
    """As many cuts as rounds, each an equal part of the MACs, and after each an equal part of the epochs."""
    run, whole = ground.run, ground.subject.structure.cost().macs
    seed_everything(run.seed)
    module, seconds, training = ground.subject.module, 0.0, 0.0
    for number in range(1, run.rounds + 1):
        goal = whole - (whole - ground.goal) * number // run.rounds
        began = perf_counter()
        structure = analyse(module, ground.example)
        module = prune_to(module, structure, ground.example, goal, player.way, ground.look).module
        cut = perf_counter()
        ground.recovered("finetune", module, None, run.epochs // run.rounds)
        seconds, training = seconds + cut - began, training + perf_counter() - cut
    return _told(ground, Reached(module, seconds, None), {TUNED: ground.judge(module) | {"seconds": training}})


def _gradual(ground: Ground, player: Gradual) -> dict[str, Any]:
    """A method of ours, which draws its calibration images itself, with the trainer of everybody else.

    All of the target is for its cuts of channels: one that goes on to take out whole blocks would go past it.
    """
    run, method = ground.run, METHODS[player.name]
    spec = Spec(run.model, run.data, method=player.name, device=DEVICE, **{**method.defaults, "recover": "finetune"})
    spec = replace(spec, keep=ground.keep, seed=run.seed, epochs=run.epochs // run.rounds, steps=run.rounds)
    narrowing = {name: value for name, value in NARROWING.items() if name in method.settings}
    began = perf_counter()
    outcome = method.function(replace(spec, samples=run.samples).with_settings(**narrowing))
    seconds = perf_counter() - began
    return _told(
        ground, Reached(outcome.module, 0.0, None), {TUNED: ground.judge(outcome.module) | {"seconds": seconds}}
    )


_PLAYED: dict[type, Callable[[Ground, Any], dict[str, Any]]] = {
    Ours: _our_choice,
    Searched: _searched,
    Theirs: _rival,
    Gradual: _gradual,
}


def _untrained(ground: Ground, reached: Reached, repair: str) -> dict[str, Any]:
    """The stages without training: as cut; then recalibrated; and as cut, then repaired, if it is a cut of ours."""
    stages = {AS_CUT: ground.judge(reached.module) | {"seconds": 0.0}}
    ways = {RECALIBRATED: "bn"} if with_statistics(reached.module) else {}
    if reached.origin is not None:
        ways[REPAIRED] = repair
    for stage, name in ways.items():
        twin = replace(reached, module=copy.deepcopy(reached.module))
        stages[stage] = _staged(ground, twin, partial(ground.recovered, name, twin.module, twin.origin))
    return _told(ground, reached, stages)


def _tuning(ground: Ground, reached: Reached, *, repaired: bool = False) -> Callable[[], None]:
    epochs = ground.run.epochs
    return partial(ground.recovered, "finetune", reached.module, reached.origin, epochs, repaired=repaired)


def _staged(ground: Ground, reached: Reached, *work: Callable[[], None]) -> dict[str, Any]:
    began = perf_counter()
    for each in work:
        each()
    seconds = perf_counter() - began
    return ground.judge(reached.module) | {"seconds": seconds}


def _told(ground: Ground, reached: Reached, stages: dict[str, Any]) -> dict[str, Any]:
    return {**_left(ground, reached), "reach": reached.seconds, "stages": stages}


def _left(ground: Ground, reached: Reached) -> dict[str, float]:
    """The fractions of parameters and MACs that are left."""
    return steps.fractions(count(reached.module, ground.example), ground.subject.structure.cost())


def _share(target: Target) -> float:
    """The fraction that a target keeps; targets of a grid have one."""
    if target.keep is None:
        raise ExplorerError(f"target {target} is no share: write macs=0.5")
    return target.keep


def _opened(model: str, data: str, split: str) -> tuple[steps.Subject, float]:
    """A subject and the metric of the whole network, shared by the runs of a process; runs do not write to it."""

    def make() -> tuple[steps.Subject, float]:
        subject = steps.open_subject(Spec(model, data, device=DEVICE), silent)
        task = subject.task
        return subject, _judged(subject.module, task, getattr(task, split), subject.device).value

    return KEPT.get((__name__, model, data, split), make)


def _judged(module: nn.Module, task: Any, data: Any, device: torch.device) -> Accuracy:
    found = evaluate(module, data, kind=task.kind, device=device)
    if not isinstance(found, Accuracy):
        raise ExplorerError(f"answers to {task.ref} are not right or wrong, so they can't be paired: choose other data")
    return found
