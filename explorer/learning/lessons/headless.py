"""A bench that measures here and now, without pages, and what a machine can check of a lesson with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from explorer.batches import fetch
from explorer.board.choice import Choice
from explorer.budget import Target, allocate
from explorer.criteria import CRITERIA, Scores, score
from explorer.device import choose_device
from explorer.errors import ExplorerError
from explorer.evaluation.side_by_side import side_by_side
from explorer.learning.lessons.cuts import chosen
from explorer.learning.lessons.lesson import Do, Lesson, Reveal, Setting
from explorer.learning.lessons.measuring import Measured, measure_all
from explorer.learning.lessons.situation import Bench, Done, Judged, NotYetError, Situation, Timed, Tried
from explorer.learning.lessons.truth import Value
from explorer.methods.studies.ladder import recovery_stage
from explorer.methods.tools.portions import in_memory, portion
from explorer.progress import Report, silent
from explorer.pruning import Plan, cut, plan_from_budget
from explorer.recovery import RECOVERIES
from explorer.recovery.portion import repair_samples
from explorer.sources import LoadedModel, load_model, task_for
from explorer.structure import Structure, analyse
from explorer.tasks import Accuracy, Task

SAMPLES = 512  # that channels are scored on
TIMED = 0.5  # seconds


@dataclass
class DirectBench:
    """Opens each network once and computes what is asked, however long it takes.

    Args:
        trains: whether recoveries that train are carried out; else asking for one raises `NotYetError`.
    """

    trains: bool = False
    _models: dict[str, tuple[LoadedModel, Structure]] = field(default_factory=dict)
    _tasks: dict[tuple[str, str], Task] = field(default_factory=dict)
    _scores: dict[tuple, Scores] = field(default_factory=dict)
    _judged: dict[tuple, Judged] = field(default_factory=dict)

    def _opened(self, model: str) -> tuple[LoadedModel, Structure]:
        if model not in self._models:
            loaded = load_model(model)
            self._models[model] = loaded, analyse(loaded.module, loaded.example())
        return self._models[model]

    def _task(self, model: str, data: str) -> Task:
        if (model, data) not in self._tasks:
            self._tasks[model, data] = task_for(self._opened(model)[0], data)
        return self._tasks[model, data]

    def structure(self, model: str) -> Structure:
        return self._opened(model)[1]

    def scores(self, model: str, data: str, criterion: str, options: Mapping[str, str]) -> Scores:
        key = model, data, criterion, tuple(sorted(options.items()))
        if key not in self._scores:
            loaded, structure = self._opened(model)
            needed = CRITERIA[criterion].needs & {"inputs", "labels"}
            calibration = self._task(model, data).calibration if needed else None
            self._scores[key] = score(
                criterion, loaded.module, structure, calibration, options=dict(options), samples=SAMPLES
            )
        return self._scores[key]

    def shared_out(
        self, model: str, scores: Scores, macs: float, allocator: str, locked: Mapping[str, int]
    ) -> dict[str, float]:
        loaded, structure = self._opened(model)
        shapes = {key: tuple(tensor.shape) for key, tensor in loaded.module.state_dict().items()}
        targets = (Target("macs", macs),)
        return dict(allocate(allocator, structure, scores, targets, shapes=shapes, locked=locked).budget)

    def classes(self, model: str, data: str) -> tuple[str, ...]:
        return tuple(self._task(model, data).classes)

    def judge(self, model: str, data: str, plan: Plan, recovery: str) -> Judged:
        key = model, data, tuple(sorted(plan.remove.items())), plan.blocks, recovery
        if key not in self._judged:
            if RECOVERIES[recovery].trains and not self.trains:
                raise NotYetError(message="this recovery trains", offer=recovery)
            self._judged[key] = self._judge(model, data, plan, recovery)
        return self._judged[key]

    def _judge(self, model: str, data: str, plan: Plan, recovery: str) -> Judged:
        loaded, structure = self._opened(model)
        task, macs = self._task(model, data), structure.cost().macs
        samples = in_memory(portion(task.validation, macs))
        if not RECOVERIES[recovery].trains:
            task = replace(task, calibration=repair_samples(task.calibration, macs))
        device = choose_device("auto")
        found = recovery_stage(
            recovery, loaded.module, structure, task, plan.check(structure), data=samples, device=device
        )
        quality, answers, labels = found.quality, None, None
        if isinstance(quality, Accuracy):
            answers, labels = quality.predictions, np.asarray(fetch(samples, torch.arange(len(samples)))[1])
        value, low, high = quality.value, quality.low, quality.high
        return Judged(task.metric, value, low, high, quality.samples, answers, labels)

    def time(self, model: str, plan: Plan, batch: int) -> Timed:
        loaded, structure = self._opened(model)
        smaller = cut(loaded.module, structure, plan.check(structure)).module
        shape, device = tuple(loaded.example().shape[1:]), choose_device("auto")
        (found,) = side_by_side(loaded.module, smaller, shape, device=device, batches=(batch,), seconds=TIMED)
        return Timed(found.ms, found.base_ms, found.ratio, found.low, found.high, found.batch, found.rounds)


def begun(lesson: Lesson, bench: Bench) -> Situation:
    """Where a person stands who has just begun a lesson."""
    return Situation(lesson.model, lesson.data, lesson.criterion, {}, Choice(), "", bench)


def done_for(setting: Setting, situation: Situation, model: str, data: str) -> Situation:
    """Where a person stands once "do it for me" is through, jobs and trainings that it starts included.

    What it measures on the way is taken for measured, since pages do that by themselves.

    Raises:
        ExplorerError: it names what the network does not have, or a target out of reach.
    """
    structure = situation.bench.structure(model)
    for block in setting.blocks:
        Plan(model).without(structure, [block])
    locked = frozenset(chosen(structure, setting.locked)) if setting.locked else situation.choice.locked
    criterion = setting.criterion or situation.criterion
    options = setting.options if setting.criterion or setting.options else situation.options
    choice = situation.choice
    if setting.moves:
        budget = setting.fractions(situation.bench, model, data, criterion)
        choice = choice.moved(budget, locked, frozenset(setting.blocks))
    else:
        choice = choice.moved(choice.budget, locked, choice.blocks)
    return replace(situation, model=model, data=data, criterion=criterion, options=options, choice=choice)


def checked_by_machine(lesson: Lesson, bench: Bench, report: Report = silent) -> "Checked":
    """Plays a lesson by its own "do it for me" buttons, measures every reveal, and finds the right answers.

    Raises:
        ExplorerError: a `set` that does not meet its check, a measure that fails, an answer that no option has.
    """
    situation, measured, right = begun(lesson, bench), {}, {}
    for place, card in enumerate(lesson.cards):
        report(place / len(lesson.cards), card.title)
        model, data = lesson.about(place)
        if (situation.model, situation.data) != (model, data):
            situation = replace(situation, model=model, data=data, choice=Choice())
        if isinstance(card, Do):
            situation = _did(card, situation, model, data)
        elif isinstance(card, Reveal):
            measured[place] = _revealed(card, situation, model, data, lesson.criterion)
            if card.of:
                right[card.of] = _right(lesson, card, measured[place])
    return Checked(measured, right)


@dataclass(frozen=True)
class Checked:
    """What playing a lesson gave.

    Args:
        measured: by the place of the reveal.
        right: what was so, in words, by the name of the prediction.
    """

    measured: Mapping[int, tuple[Measured, ...]]
    right: Mapping[str, str]


def _did(card: Do, situation: Situation, model: str, data: str) -> Situation:
    asked = card.asked
    situation = replace(situation, page=card.page)
    if card.set is not None:
        situation = _with_work(card, done_for(card.set, situation, model, data))
    if asked is None:
        return situation
    verdict = asked(situation)
    if card.set is not None and not verdict.met:
        raise ExplorerError(f'card {card.title!r}: what "do it for me" sets does not meet the check: {verdict.said}')
    return situation


def _with_work(card: Do, situation: Situation) -> Situation:
    """With what a page measures by itself, and the jobs that the card starts."""
    structure, setting = situation.structure, card.set
    plan = Plan(situation.model)
    scores = None
    if situation.choice.budget:
        scores = situation.bench.scores(situation.model, situation.data, situation.criterion, situation.options)
    if scores is not None:
        plan = plan_from_budget(structure, scores.groups, situation.choice.budget, situation.model)
    plan = plan.without(structure, situation.choice.blocks)
    found = [*situation.tried()]
    for recovery in ("none", "reconstruct"):
        value = situation.bench.judge(situation.model, situation.data, plan, recovery).value
        found.append(Tried(situation.choice, situation.criterion, recovery, situation.macs(), value))
    if setting is not None and setting.train:
        found.append(Tried(situation.choice, situation.criterion, "finetune", situation.macs(), found[-1].value))
    jobs = [*situation.jobs()]
    if setting is not None and setting.job is not None:
        spec = {"model": situation.model, "data": situation.data, **setting.job.get("spec", {})}
        jobs.append(Done(setting.job["kind"], spec))
    tried, ended = tuple(found), tuple(jobs)
    return replace(situation, tried=lambda: tried, jobs=lambda: ended)


def _revealed(card: Reveal, situation: Situation, model: str, data: str, criterion: str) -> tuple[Measured, ...]:
    if card.recording is not None:
        return card.recording.measured()
    standing = measure_all(card.measure, situation, model, data, criterion)
    for name, why in standing.failed.items():
        raise ExplorerError(f"card {card.title!r}: {name} can't be measured: {why}")
    for text in (card.then, card.right, card.wrong) if standing.complete else ():
        text.format(**{each.name: each.text() for each in standing.found})
    return standing.found


def _right(lesson: Lesson, card: Reveal, measured: tuple[Measured, ...]) -> str:
    found, asked = {each.name: each for each in measured}, lesson.prediction(card.of)
    truth = card.truth
    if truth is None or asked is None or any(name not in found for name in truth.names):
        return "known once it is trained"
    if isinstance(truth, Value):
        return found[truth.of].text()
    option = truth.right(found)
    if option is None or asked.options is None or option >= len(asked.options):
        raise ExplorerError(f"card {card.title!r}: option {option} of {card.of!r} is right, and there is none")
    return asked.options[option]
