"""The engine as the pages call it: cached, one computation at a time, small work here and large work at the desk."""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from contextlib import nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

import numpy as np
import pandas as pd
import streamlit as st
import torch

from explorer.batches import Samples
from explorer.board.choice import Choice
from explorer.budget import ALLOCATORS, Allocation, Meter, Reach, Target, allocate, feasible
from explorer.cache import changed
from explorer.criteria import CRITERIA, Scores, estimate, score
from explorer.criteria.tools.features import feature_maps
from explorer.device import choose_device
from explorer.errors import ExplorerError
from explorer.evaluation import ATTRIBUTIONS, Live, evidence, latency, size_bytes
from explorer.evaluation.live.evaluator import MEMORY
from explorer.evaluation.size import size_model
from explorer.memory import KEPT
from explorer.methods.studies.latency_profile import cached_latency
from explorer.methods.tools.portions import SECOND, portion
from explorer.plain import plain
from explorer.progress import Report, silent
from explorer.pruning import Plan, plan_from_budget
from explorer.recovery.repairing import repair_for
from explorer.runs.documents import read_scored
from explorer.sources import LoadedModel, describe_task, load_model, load_task, task_for
from explorer.sources.stamps import stamp_of
from explorer.structure import Structure, analyse, without
from explorer.tasks import TASK_KINDS, Accuracy, Answered, Quality, Task, answered, evaluate
from explorer.ui.text import tables
from explorer.ui.turn import Turn

P, T = ParamSpec("P"), TypeVar("T")

# Masks, hooks and backend switches are process-wide, and two cores serve one network best.
_TURN = Turn()

SAMPLES = 512
BATCHES = 2  # that the validation slice is judged in
TIMED_BATCH = 64
FEW_TIMED = 4  # samples of a batch, of which one takes about as long as of a large one
FEW_UNITS = 4000  # of which a knapsack is packed at once
FEW_GROUPS = 60  # whose widths are rounded at once


Found = Accuracy | Quality


class NotKnownError(ExplorerError):
    """What was asked for would have to be computed first."""


_asking = ContextVar("asking", default=False)


def known(ask: Callable[[], T]) -> T | None:
    """What `ask` gives without any work: from what is kept; None where a part of it would have to be computed."""
    token = _asking.set(True)
    try:
        return ask()
    except NotKnownError:
        return None
    finally:
        _asking.reset(token)


def waited(words: str, key: Hashable, make: Callable[[], T], extra: int = 0) -> T:
    """What is kept under the key, else what is made while the page shows some words (empty: none)."""

    def shown() -> T:
        if _asking.get():
            raise NotKnownError("this is not computed yet: open the page that shows it")
        with st.spinner(plain(words)) if words else nullcontext():
            return make()

    return KEPT.get(key, shown, extra)


def _kept(words: str = "", extra: int = 0) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Results of a function kept by its arguments; see `waited`. All that pages keep shares one limit of bytes."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def kept(*arguments: P.args, **named: P.kwargs) -> T:
            key = function.__qualname__, arguments, tuple(sorted(named.items()))
            return waited(words, key, lambda: function(*arguments, **named), extra)

        return kept

    return decorate


@dataclass(frozen=True)
class Opened:
    """A model with what is known of it."""

    model: LoadedModel
    structure: Structure
    size_bytes: int


def opened(ref: str) -> Opened:
    """The model, analysed.

    Raises:
        ExplorerError: see `explorer.sources.load_model` and `explorer.structure.analyse`.
    """
    return _opened(ref, stamp_of(ref))


@_kept("Reading the model and tracing its structure…")
def _opened(ref: str, stamp: str) -> Opened:
    model = load_model(ref)
    with _TURN:
        structure = analyse(model.module, model.example())
    return Opened(model, structure, size_bytes(model.module))


def table(ref: str) -> pd.DataFrame:
    """The model's groups, see `explorer.ui.text.tables.groups`."""
    return _table(ref, stamp_of(ref))


@st.cache_data(max_size="64 MB", show_spinner=False)
def _table(ref: str, stamp: str) -> pd.DataFrame:
    return tables.groups(opened(ref).structure)


def task(ref: str, model: LoadedModel) -> Task:
    """The task, its images fitted to the model.

    Raises:
        ExplorerError: see `explorer.sources.load_task`.
    """
    key = "task", ref, model.ref, stamp_of(ref), stamp_of(model.ref)
    return waited("Reading the data…", key, lambda: task_for(model, ref))


def metric_named(ref: str) -> str:
    """The name of the metric that data is judged by, by what its source tells beforehand.

    Raises:
        ExplorerError: it tells nothing, or the ref leads nowhere.
    """
    return TASK_KINDS[describe_task(ref).kind].metric.name


def data_alone(ref: str) -> Task | None:
    """The task as it is without a model; None where it can't be read, or takes a model's tokenizer."""
    try:
        return waited("Reading the data…", ("task", ref, stamp_of(ref)), lambda: load_task(ref))
    except ExplorerError:
        return None


def scores_are_quick(ref: str, criterion: str) -> bool:
    """Whether scoring takes about a second at most, so that a page may wait for it."""
    needs = CRITERIA[criterion].needs
    passes = 3 if "gradients" in needs else 1 if needs & {"inputs", "labels"} else 0
    return passes * opened(ref).structure.cost().macs * SAMPLES < SECOND


def quick_scores(ref: str, data: str, criterion: str, options: Mapping[str, str]) -> Scores:
    """Scores computed here and now.

    Raises:
        ExplorerError: see `explorer.criteria.score`.
    """
    data = data if CRITERIA[criterion].needs & {"inputs", "labels"} else ""
    return _quick_scores(ref, data, criterion, tuple(sorted(options.items())), stamp_of(ref))


@_kept("Scoring the channels…")
def _quick_scores(ref: str, data: str, criterion: str, options: tuple[tuple[str, str], ...], stamp: str) -> Scores:
    found = opened(ref)
    calibration = task(data, found.model).calibration if data else None
    with _TURN:
        return score(
            criterion, found.model.module, found.structure, calibration, options=dict(options), samples=SAMPLES
        )


@_kept()
def read_scores(file: str) -> Scores:
    """Scores that a worker has left in a file.

    Raises:
        ExplorerError: it can't be read.
    """
    document = read_scored(Path(file))
    groups = {name: np.asarray(values, dtype=np.float64) for name, values in document["groups"].items()}
    return Scores(document["criterion"], document["seconds"], groups, document.get("skipped", {}))


def allocation_is_quick(ref: str, name: str, targets: Sequence[Target], round_to: int = 1) -> bool:
    """Whether targets can be shared out within about a second: nothing has to be measured for it, and little tried."""
    needs = ALLOCATORS[name].needs
    if needs & {"curves", "latency"} or any(target.kind == "latency" for target in targets):
        return False
    full = opened(ref).structure.full
    if "target" in needs and sum(full.values()) > FEW_UNITS:
        return False
    return round_to == 1 or len(full) <= FEW_GROUPS


def allocated(
    ref: str,
    name: str,
    scores: Scores,
    targets: Sequence[Target],
    *,
    locked: Mapping[str, int] = MappingProxyType({}),
    blocks: Collection[str] = (),
    **settings: Any,
) -> Allocation:
    """See `explorer.budget.allocate`, for targets without latency.

    Args:
        blocks: residual blocks that are taken out: targets are of the whole model all the same, and groups that leave
            with a block lose nothing besides.

    Raises:
        ExplorerError: see there.
    """
    found, meter = opened(ref), _meter(ref, tuple(sorted(blocks)), stamp_of(ref))
    left = meter.structure
    shapes = {key: tuple(tensor.shape) for key, tensor in found.model.module.state_dict().items()}
    scored = replace(scores, groups={name: values for name, values in scores.groups.items() if name in left.groups})
    held = {name: count for name, count in locked.items() if name in left.groups}
    asked = _asked(ref, targets, blocks)
    shared = allocate(name, left, scored, asked, meter=meter, shapes=shapes, locked=held, **settings)
    return replace(shared, reach=_of_whole(ref, shared.reach, targets))


def reach(
    ref: str,
    targets: Sequence[Target],
    locked: Mapping[str, int] = MappingProxyType({}),
    round_to: int = 1,
    blocks: Collection[str] = (),
) -> tuple[Reach, ...]:
    """What of targets without latency is in reach, see `explorer.budget.feasible`; `blocks` as in `allocated`.

    Raises:
        ExplorerError: see there.
    """
    meter = _meter(ref, tuple(sorted(blocks)), stamp_of(ref))
    held = {name: count for name, count in locked.items() if name in meter.structure.groups}
    asked = _asked(ref, targets, blocks)
    return _of_whole(ref, feasible(meter.structure, asked, locked=held, meter=meter, round_to=round_to), targets)


def _asked(ref: str, targets: Sequence[Target], blocks: Collection[str]) -> tuple[Target, ...]:
    """The targets as they are, or where blocks are out, as amounts of what the whole model costs."""
    whole = _meter(ref, (), stamp_of(ref))
    return tuple(target.fixed(whole(target.kind, {})) for target in targets) if blocks else tuple(targets)


def _of_whole(ref: str, found: Sequence[Reach], targets: Sequence[Target]) -> tuple[Reach, ...]:
    """What is in reach of the targets as they were asked for, against the whole model."""
    whole = _meter(ref, (), stamp_of(ref))
    pairs = zip(found, targets, strict=True)
    return tuple(replace(each, target=target, whole=whole(target.kind, {})) for each, target in pairs)


@_kept()
def _meter(ref: str, blocks: tuple[str, ...], stamp: str) -> Meter:
    """Of the model without these blocks."""
    found = opened(ref)
    size = size_model(found.model.module, found.structure)
    return Meter(without(found.structure, blocks), size.without(blocks))


def size_of(ref: str, plan: Plan) -> int:
    """Bytes of the weights file of what a plan leaves of the model."""
    meter = _meter(ref, tuple(sorted(plan.blocks)), stamp_of(ref))
    return int(meter("size", plan.kept(opened(ref).structure)))


def scoring_seconds(ref: str, data: str, criterion: str) -> float | None:
    """Seconds that a criterion's passes will take, from a batch timed here; None where even that takes long."""
    if opened(ref).structure.cost().macs * TIMED_BATCH * 3 > SECOND:
        return None
    needs = CRITERIA[criterion].needs & {"inputs", "labels"}
    return _scoring_seconds(ref, data if needs else "", criterion, stamp_of(ref))


@st.cache_data(max_entries=128, show_spinner="Timing a batch…")
def _scoring_seconds(ref: str, data: str, criterion: str, stamp: str) -> float:
    found = opened(ref)
    calibration = task(data, found.model).calibration if data else None
    with _TURN:
        return estimate(CRITERIA[criterion], found.model.module, found.structure, calibration, SAMPLES)


def timed(ref: str, runtime: str, batch: int) -> dict[str, Any] | None:
    """Every group's latency by width if it has been timed on this device before, by whomever; see `cached_latency`."""
    return _timed(ref, runtime, batch, stamp_of(ref), changed("latency"))


@_kept()
def _timed(ref: str, runtime: str, batch: int, stamp: str, kept: int) -> dict[str, Any] | None:
    found = opened(ref)
    profile = cached_latency(found.model, found.structure, runtime=runtime, batch=batch)
    return None if profile is None else profile.to_json()


def is_quick(ref: str) -> bool:
    """Whether accuracy on the slice can be had within about a second."""
    return opened(ref).structure.cost().macs * 64 <= SECOND


def test_is_quick(ref: str, data: Task) -> bool:
    """Whether the whole test split can be judged within about a second."""
    return opened(ref).structure.cost().macs * len(data.test) <= SECOND


def forward_seconds(ref: str) -> float | None:
    """Seconds of a forward pass for one sample of a batch, timed here; None where even a few samples take long."""
    batch = min(TIMED_BATCH, int(SECOND / (3 * max(1, opened(ref).structure.cost().macs))))
    return _forward_seconds(ref, batch, stamp_of(ref)) if batch >= FEW_TIMED else None


@st.cache_data(max_entries=16, show_spinner=False)
def _forward_seconds(ref: str, batch: int, stamp: str) -> float:
    model = opened(ref).model
    with _TURN:
        (found,) = latency(
            model.module,
            model.example(),
            device=choose_device("auto"),
            batches=(batch,),
            warmup=1,
            seconds=0.2,
        )
    return found.median_ms / 1e3 / found.batch


def base_quality(ref: str, data: str, report: Report = silent) -> Found:
    """The task's metric of the whole model on the test split.

    Raises:
        ExplorerError: see `explorer.tasks.evaluate`.
    """

    def work() -> Found:
        found = opened(ref)
        images, device = task(data, found.model), choose_device("auto")
        with _TURN:
            return evaluate(found.model.module, images.test, kind=images.kind, device=device, report=report)

    return waited("", ("test", ref, data, stamp_of(ref), stamp_of(data)), work)


@dataclass(frozen=True)
class Simulated:
    """The task's metric under a plan, and how it was found: "mask" or "cut".

    `answers` has the class that was answered for each sample of the slice, where the task has one.
    """

    quality: Found
    by: str
    inexact: tuple[str, ...] = ()
    answers: np.ndarray | None = None


def simulate(ref: str, data: str, plan: Plan, report: Report = silent) -> Simulated:
    """The task's metric under a plan on the validation slice: by mask where that is exact, else by cutting a copy.

    What a change does not touch is not computed again, see `explorer.evaluation.live`.

    Raises:
        ExplorerError: see `explorer.tasks.evaluate` and `explorer.pruning`.
    """

    def work() -> Simulated:
        live = _live(ref, data, stamp_of(ref), stamp_of(data))
        with _TURN:
            answer = live.evaluate(plan, report)
        inexact = [name for name in plan.remove if not opened(ref).structure.groups[name].exact]
        return Simulated(answer.quality, answer.by, tuple(inexact), answer.answers)

    return waited("", ("simulated", *_key(ref, data, plan)), work)


def repair_of(ref: str, plan: Plan) -> str:
    """The name of the recovery without training that a plan allows, see `studies.repair`; it takes a cut to know."""

    def work() -> str:
        found = opened(ref)
        with _TURN:
            return repair_for(found.model.module, found.structure, plan)[0]

    removed = tuple(sorted((name, tuple(units)) for name, units in plan.remove.items()))
    return waited("", ("repair", ref, removed, tuple(plan.blocks), stamp_of(ref)), work)


def slice_of(ref: str, data: str) -> Samples:
    """The validation samples that plans are judged by on the pages."""
    found = opened(ref)
    return portion(task(data, found.model).validation, found.structure.cost().macs)


@_kept("Reading the validation slice…", extra=MEMORY)
def _live(ref: str, data: str, stamp: str, data_stamp: str) -> Live:
    found = opened(ref)
    kind = task(data, found.model).kind
    return Live(
        found.model.module,
        found.structure,
        slice_of(ref, data),
        kind=kind,
        device=choose_device("auto"),
        batch_size=256,
        batches=BATCHES,
    )


def _key(ref: str, data: str, plan: Plan) -> Hashable:
    return ref, data, tuple(sorted(plan.remove.items())), plan.blocks, stamp_of(ref), stamp_of(data)


def plan_of(ref: str, scores: Scores, choice: Choice) -> Plan:
    """The plan that removes each group's lowest-scored units to the choice's fractions, and its residual blocks."""
    structure = opened(ref).structure
    return plan_from_budget(structure, scores.groups, choice.budget, ref).without(structure, choice.blocks)


@st.cache_data(max_entries=32, max_size="64 MB", show_spinner="Looking at the channels…")
def maps(ref: str, data: str, group: str, index: int, stamp: str = "") -> np.ndarray | None:
    """The feature maps of the group's units on one test image, (units, height, width); None where it has none."""
    found = opened(ref)
    image = task(data, found.model).test[index][0]
    with _TURN:
        return feature_maps(found.model.module, found.structure.groups[group], torch.as_tensor(image))


def answers(ref: str, data: str, places: Sequence[int]) -> list[Answered]:
    """What the model answers to some test samples, see `explorer.tasks.answered`.

    Raises:
        ExplorerError: see there.
    """

    def work() -> list[Answered]:
        found = opened(ref)
        with _TURN:
            return answered(found.model.module, task(data, found.model), places, device=choose_device("auto"))

    return waited("", ("answers", ref, data, tuple(places), stamp_of(ref), stamp_of(data)), work)


def evidence_is_quick(ref: str, by: str) -> bool:
    """Whether the evidence of one answer can be had within about a second."""
    return opened(ref).structure.cost().macs * ATTRIBUTIONS[by].passes <= SECOND


def evidence_of(ref: str, data: str, place: int, answer: int, by: str) -> np.ndarray:
    """What of a test picture an answer rests on, (H, W); see `explorer.evaluation.evidence`.

    Raises:
        ExplorerError: see there.
    """

    def work() -> np.ndarray:
        found = opened(ref)
        picture = torch.as_tensor(task(data, found.model).test[place][0])
        with _TURN:
            return evidence(found.model.module, picture, answer, device=choose_device("auto"), by=by)

    key = "evidence", ref, data, place, answer, by, stamp_of(ref), stamp_of(data)
    return waited("Looking for the evidence…", key, work)
