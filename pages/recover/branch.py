"""Another run's settings, taken over into the form once."""

from typing import Any

import streamlit as st

from explorer.errors import ExplorerError
from explorer.methods import METHODS, Method
from explorer.methods.spec import Spec
from explorer.tasks import Task
from explorer.ui.parts import compared, jobs, say
from explorer.ui.state.workspace import Workspace
from pages.recover import controls, further, settings
from pages.recover.held import key_of
from pages.recover.settings import (
    BOARD,
    BOARD_METHOD,
    BY_ITSELF,
    FREE,
    LEAST_SQUARES,
    METHOD,
    MORE,
    NOTHING,
    OTHER,
    REPAIR,
    TO_TARGET,
    TRAIN,
    WAY,
    WHO,
)

TAKEN = "settings taken over"  # what is said of them until the run is started


def take_over(workspace: Workspace, task: Task | None) -> None:
    """Sets the controls, before they are made, to what the run of the session's `branch` was asked."""
    id = st.session_state.pop(jobs.BRANCH, None)
    if id is None:
        return
    try:
        name, spec = _asked(workspace, id)
        method = METHODS.get(spec.method)
        if method.sparse or not method.removes:
            raise ExplorerError("it removed no channels, so they have no place in this form")
        values = _controls(workspace, method, spec, task)
    except ExplorerError as error:
        st.session_state[TAKEN] = f"The settings of that run can't be taken over: {error}."
        return
    for key, value in values.items():
        st.session_state[key] = value
    st.session_state[TAKEN] = f"Settings of {name}." + ("" if method.chooses else " What leaves is the board's choice.")


def _asked(workspace: Workspace, id: str) -> tuple[str, Spec]:
    """What a run is called and what was asked of it, if this workspace may look at it.

    Raises:
        ExplorerError: it may not, the run is gone, or was asked what this version does not know.
    """
    for job in jobs.of_runs(workspace):
        if job.id == id:
            return jobs.name_of(job), Spec.from_json(job.request["spec"])
    for entry in compared.finished(workspace, everyone=True)[0]:
        if entry.record.id == id:
            return entry.name, entry.spec
    raise ExplorerError("it is not there any more")


def said() -> None:
    """Whose settings stand in the form, until a run is started."""
    if sentence := st.session_state.get(TAKEN):
        say.caption(sentence)


def done() -> None:
    st.session_state.pop(TAKEN, None)


def _controls(workspace: Workspace, method: Method, spec: Spec, task: Task | None) -> dict[str, Any]:
    """The values of controls, by their keys."""
    values: dict[str, Any] = {"seed": spec.seed}
    if spec.epochs is not None:
        values["epochs"] = _within("epochs", spec.epochs)
    told = method.told(spec)
    values |= {name: told[name] for name in further.settings_of(method)}
    if not method.chooses:
        first = {NOTHING: NOTHING, LEAST_SQUARES: REPAIR, TRAIN: TRAIN}
        way = {WAY: first[spec.recover]} if spec.recover in first else {WAY: MORE, OTHER: spec.recover}
        return {WHO: BOARD, BOARD_METHOD: method.name, **way, **_keyed(method, values)}
    values["recovery"] = spec.recover
    if (target := spec.target()) and target.keep is not None:
        values |= {"keep": _within("keep", round(100 * target.keep)), "quantity": target.kind}
    if method.gradual:
        values |= _of_steps(method, spec, told, task)
    options = {further.option_key(workspace, method, spec.criterion, name): text for name, text in spec.options.items()}
    return {WHO: BY_ITSELF, METHOD: method.name, **_keyed(method, values), **options}


def _of_steps(method: Method, spec: Spec, told: dict[str, Any], task: Task | None) -> dict[str, Any]:
    """What only a method has that cuts in steps."""
    scale = settings.scale(settings.metric_of(task))
    values = {
        "far": TO_TARGET if spec.keep else FREE,
        "steps": _within("steps", spec.steps),
        "drop": min(scale, scale * told["max_drop"]),
        "teacher": told["teacher"],
        "criterion": spec.criterion,
        "normaliser": spec.normalise,
    }
    if "blocks" in method.settings:
        values |= {"all blocks": told["blocks"] is None, "block order": told["block_order"]}
        values |= {} if told["blocks"] is None else {"blocks": _within("blocks", told["blocks"])}
    return values


def _keyed(method: Method, values: dict[str, Any]) -> dict[str, Any]:
    return {key_of(method, name): value for name, value in values.items()}


def _within(setting: str, value: float) -> int:
    """A number that its control can hold."""
    low, high = controls.LIMITS[setting]
    return int(min(max(value, low), high))
