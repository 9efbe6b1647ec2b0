"""The form of a run as it stands in the session: who chooses, what follows, and the spec that it comes to."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from explorer.methods import METHODS, Method
from explorer.methods.spec import CRITERION, Spec
from explorer.recovery import EPOCHS, RECOVERIES
from explorer.tasks import METRICS, Metric, Task
from explorer.ui import engine
from explorer.ui.parts import stages
from explorer.ui.state.form_keys import (
    BOARD_METHOD,
    BY_ITSELF,
    LEAST_SQUARES,
    METHOD,
    MORE,
    NOTHING,
    OTHER,
    REPAIR,
    WAY,
    WHO,
)
from explorer.ui.state.workspace import Workspace
from pages.recover import further
from pages.recover.held import held

TO_TARGET, FREE = "To a target", "As far as accuracy allows"
STEPS, EPOCHS_PER_STEP, KEEP = 8, 2, 50  # minutes on a laptop for the bundled networks


def of_the_board() -> list[Method]:
    """The methods that cut channels by the board's budget, the simplest first."""
    return _simplest_first(chooses=False)


def that_choose() -> list[Method]:
    """The methods that cut channels and find them by themselves, the simplest first."""
    return _simplest_first(chooses=True)


def _simplest_first(*, chooses: bool) -> list[Method]:
    fitting = (entry for entry in METHODS.values() if entry.removes and not entry.sparse and entry.chooses == chooses)
    return sorted(fitting, key=lambda entry: (len(entry.defaults), len(entry.settings)))


def chosen_method() -> Method:
    """The method as the form stands."""
    by_itself = st.session_state.get(WHO) == BY_ITSELF
    offered, key = (that_choose(), METHOD) if by_itself else (of_the_board(), BOARD_METHOD)
    return next((entry for entry in offered if entry.name == st.session_state.get(key)), offered[0])


def fitting(task: Task | None) -> list[str]:
    """The recoveries that can serve the task, by name."""
    return [
        name
        for name, entry in RECOVERIES.items()
        if task is None or (task.kind not in entry.unfit and (task.measured or not entry.needs))
    ]


def repair_of(workspace: Workspace) -> str:
    """The name of the recovery that repairs the board's plan without training; "none" where none can.

    What a large network allows is not tried here: its run names the layers that stay as cut.
    """
    plan = stages.plan_of(workspace)
    quick = plan is not None and engine.is_quick(workspace.model)
    return engine.repair_of(workspace.model, plan) if quick else LEAST_SQUARES


def recovery_of(workspace: Workspace, method: Method, task: Task | None) -> str:
    """The name of the recovery as the form stands, or the usual one where that does not fit the task."""
    names = fitting(task)
    if method.chooses:
        chosen = held(method, "recovery", usual(method)["recover"])
    else:
        way = st.session_state.get(WAY, REPAIR)
        chosen = {MORE: st.session_state.get(OTHER)}.get(way, repair_of(workspace) if way == REPAIR else way)
    return chosen if chosen in names else NOTHING


def spec_of(workspace: Workspace, task: Task | None, recovery: str | None = None) -> Spec:
    """The run as the controls describe it, or with another recovery; the command line reads the same."""
    method = chosen_method()
    recovery = recovery or recovery_of(workspace, method, task)
    common = {"model": workspace.model, "data": workspace.data, "method": method.name, "samples": engine.SAMPLES}
    common |= {"recover": recovery, "seed": int(held(method, "seed", 0))}
    common |= {"epochs": int(held(method, "epochs", epochs_at_first(method)))} if RECOVERIES[recovery].trains else {}
    common |= {"settings": further.settings(method)}
    if not method.chooses:
        goes = {"ratios": workspace.budget, "skip": tuple(sorted(workspace.blocks))}
        return Spec(**common, criterion=workspace.criterion, options=workspace.options, **goes)
    criterion = criterion_of(method)
    chosen = {
        "criterion": criterion,
        "options": further.options(workspace, method, criterion),
        "keep": _target(method),
        "minimum": further.minimum(method),
        "locked": tuple(sorted(workspace.locked)),
        **(_of_steps(method, task) if method.gradual else {}),
    }
    return Spec(**{**method.defaults, **common, **chosen})


def _of_steps(method: Method, task: Task | None) -> dict[str, Any]:
    """The fields of a spec that a method has which cuts in steps."""
    metric = metric_of(task)
    settings = further.settings(method)
    settings["max_drop"] = str(round(held(method, "drop", usual_drop(method, metric)) / scale(metric), 6))
    if held(method, "recovery", usual(method)["recover"]) == "distill":
        settings["teacher"] = held(method, "teacher", method.settings["teacher"].default)
    if "blocks" in method.settings:
        settings["block_order"] = held(method, "block order", method.settings["block_order"].default)
        free = held(method, "all blocks", True)
        settings |= {} if free else {"blocks": str(int(held(method, "blocks", 0)))}
    steps = int(held(method, "steps", STEPS))
    return {"steps": steps, "normalise": further.normaliser(method), "settings": settings}


def criterion_of(method: Method) -> str:
    """What a method that chooses scores by."""
    usual_one = usual(method)["criterion"]
    return held(method, "criterion", usual_one) if method.gradual else usual_one


def _target(method: Method) -> dict[str, float] | None:
    if method.gradual and held(method, "far", TO_TARGET) == FREE:
        return None
    return {held(method, "quantity", "macs"): held(method, "keep", KEEP) / 100}


def metric_of(task: Task | None) -> Metric:
    return METRICS[task.metric if task else "top1"]


def scale(metric: Metric) -> float:
    """What a value is multiplied by to be read: shares are told in points."""
    return 100.0 if metric.share else 1.0


def usual_drop(method: Method, metric: Metric) -> float:
    """The largest drop at first, as it is read."""
    return method.settings["max_drop"].default * scale(metric)


def epochs_at_first(method: Method) -> int:
    return EPOCHS_PER_STEP if method.gradual else EPOCHS


def usual(method: Method) -> Mapping[str, Any]:
    """The fields of a spec that the method has where nothing else is asked."""
    return {"criterion": CRITERION, "recover": NOTHING, **method.defaults}
