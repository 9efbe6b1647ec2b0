"""What a workspace knows already of the cut on its board, as facts that goals are held against: nothing is computed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from explorer.budget.latency_table import LatencyModel, LatencyTable
from explorer.learning.missions.facts import AS_CUT, REPAIRED, Facts, Reached, Timed
from explorer.pruning import Plan
from explorer.runs.queue.desk import DESK
from explorer.structure import Structure
from explorer.ui import engine
from explorer.ui.parts.stages import plan_of
from explorer.ui.state.workspace import Point, Workspace
from explorer.ui.text import stages as told

Timings = Sequence[tuple[str, int]]


def facts(workspace: Workspace, end: str = REPAIRED, timings: Timings = ()) -> Facts | None:
    """Of the network and the cut on the board, by its few validation samples; None as long as no network is open.

    Args:
        end: the state that the goals are about, a key of `explorer.learning.missions.facts.STAGES`.
        timings: (runtime, batch), in which latency is told where the groups were timed so before.
    """
    model, data = workspace.model, workspace.data
    opened = engine.known(lambda: engine.opened(model))
    task = None if opened is None else engine.known(lambda: engine.task(data, opened.model))
    if opened is None or task is None:
        return None
    structure, plan = opened.structure, plan_of(workspace)
    base = engine.known(lambda: engine.simulate(model, data, Plan(model))) if task.measured else None
    whole = structure.cost()
    costs = {"macs": whole.macs, "params": whole.params, "size": opened.size_bytes}
    known: dict[str, Any] = {}
    if plan is not None:
        now = plan.cost(structure)
        known = {"macs": now.macs, "params": now.params, "size": engine.size_of(model, plan)}
        known["timed"] = _timed(workspace, structure, plan, timings)
    return Facts(
        metric=task.metric,
        classes=task.classes,
        of_class=() if base is None else _counts(getattr(base.quality, "class_samples", None)) or (),
        whole=None if base is None else _simulated(base),
        stages={} if plan is None else _stages(workspace, plan, base),
        end=end,
        costs=costs,
        **known,
    )


def _stages(workspace: Workspace, plan: Plan, base: engine.Simulated | None) -> dict[str, Reached]:
    """What the cut reaches right after it and repaired, as far as the strip has found it."""
    if plan.empty:
        return {} if base is None else dict.fromkeys((AS_CUT, REPAIRED), _simulated(base))
    found: dict[str, Reached] = {}
    tried = {point.recovery: point for point in _tried(workspace)}
    now = engine.known(lambda: engine.simulate(workspace.model, workspace.data, plan))
    if now is not None:
        found[AS_CUT] = _simulated(now)
    elif "none" in tried:
        found[AS_CUT] = _of_point(tried["none"])
    repaired = next((tried[name] for name in told.REPAIRS if name != "none" and name in tried), None)
    if repaired is not None:
        found[REPAIRED] = _of_point(repaired, _right(workspace, plan, base))
    return found


def _tried(workspace: Workspace) -> list[Point]:
    """The points of the trail that are of the cut on the board."""
    now, setting = workspace.draft.now, workspace.setting
    return [point for point in workspace.draft.trail if point.choice == now and point.setting == setting]


def _right(workspace: Workspace, plan: Plan, base: engine.Simulated | None) -> tuple[int, ...] | None:
    """How many of each class the repaired network answers right, where the strip's last answer is about this plan."""
    asked = DESK.asked(workspace.token, told.REPAIRED)
    labels = getattr(base and base.quality, "labels", None)
    if asked is None or asked.result is None or labels is None or not asked.result.get("answers"):
        return None
    remove = {name: list(units) for name, units in plan.remove.items()}
    spec = asked.request["spec"]
    same = (spec["model"], spec["data"], spec.get("plan"), spec.get("skip")) == (
        workspace.model,
        workspace.data,
        remove,
        list(plan.blocks),
    )
    answers = np.asarray(asked.result["answers"])
    if not same or len(answers) != len(labels):
        return None
    return _counts(np.bincount(labels[answers == labels], minlength=len(base.quality.class_samples)))


def _timed(workspace: Workspace, structure: Structure, plan: Plan, timings: Timings) -> Mapping[tuple[str, int], Timed]:
    """Predicted from the widths that were timed, where they were."""
    found = {}
    for runtime, batch in timings:
        document = engine.timed(workspace.model, runtime, batch)
        if document:
            ms = LatencyModel(LatencyTable.of(document), structure)(plan.kept(structure))
            found[runtime, batch] = Timed(ms / document["base_ms"])
    return found


def _simulated(found: engine.Simulated) -> Reached:
    quality = found.quality
    right = _counts(getattr(quality, "class_correct", None))
    return Reached(quality.value, quality.low, quality.high, quality.samples, right)


def _of_point(point: Point, right: tuple[int, ...] | None = None) -> Reached:
    return Reached(point.value, point.low, point.high, right=right)


def _counts(values: np.ndarray | None) -> tuple[int, ...] | None:
    return None if values is None else tuple(int(value) for value in values)
