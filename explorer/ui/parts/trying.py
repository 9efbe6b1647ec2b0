"""What a paper offers to be tried, opened: the workspace set to it, on the page where that is seen."""

import streamlit as st

from explorer.learning.library.trials import Trial
from explorer.methods import METHODS
from explorer.ui.navigation import path_to
from explorer.ui.parts import opening
from explorer.ui.state.form_keys import (
    ALLOCATOR,
    BOARD,
    BOARD_METHOD,
    BY_ITSELF,
    METHOD,
    NORMALISER,
    SPARSE_METHOD,
    WHO,
    following,
)
from explorer.ui.state.workspace import Workspace


def go(workspace: Workspace, trial: Trial) -> None:
    """Sets the workspace to what is to be tried, and goes to its page; what else stands there stays."""
    if trial.kind == "criterion":
        workspace.judge_by(trial.name, {})
    elif trial.kind == "model":
        opening.ask(trial.name)
    st.session_state.update(controls(trial))
    st.switch_page(path_to(page_of(trial)))


def page_of(trial: Trial) -> str:
    """The name of the page on which a trial is seen."""
    if trial.kind == "page":
        return trial.name
    if trial.kind == "method":
        return "weights" if METHODS[trial.name].sparse else "recover"
    return {"criterion": "look", "model": "look", "recovery": "recover"}.get(trial.kind, "cut")


def controls(trial: Trial) -> dict[str, str]:
    """The values of the controls that a trial sets, by their keys."""
    if trial.kind == "recovery":
        return following(trial.name)
    if trial.kind == "method":
        method = METHODS[trial.name]
        if method.sparse:
            return {SPARSE_METHOD: trial.name}
        return {WHO: BY_ITSELF, METHOD: trial.name} if method.chooses else {WHO: BOARD, BOARD_METHOD: trial.name}
    keys = {"budget": ALLOCATOR, "normaliser": NORMALISER}
    return {keys[trial.kind]: trial.name} if trial.kind in keys else {}


def said(trial: Trial) -> str:
    """What the button that leads there says."""
    kinds = {"model": "Open", "page": "Go to"}
    return f"{kinds.get(trial.kind, 'Try')} {trial.title}"
