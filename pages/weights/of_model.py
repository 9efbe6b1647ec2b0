"""The open model without a run: what magnitude would remove."""

import pandas as pd
import streamlit as st

from explorer.pruning.margins import Margins
from explorer.pruning.unstructured import SCOPES
from explorer.runs.history.single_weights import Snapshot
from explorer.tasks import Task
from explorer.ui.charts.zeros import sparsity_bars
from explorer.ui.parts import frame
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import findings
from pages.weights import layer, matrix, zeroing

SCOPE_TITLES = {"global": "All layers compete", "layer": "The same share of every layer"}


def show(workspace: Workspace, margins: Margins, task: Task | None) -> None:
    """What a sparsity by magnitude would take from the open model, and a run that does it."""
    share, scope = _ask()
    left, right = st.columns(2, gap="medium")
    with left:
        _layers(margins, share, scope)
    with right:
        name = layer.choose(workspace, list(margins.weights))
        facts = margins.layer(name, share, scope)
        layer.show_histogram(facts, facts["margins"])
        leaving = margins.leaving(name, share, scope)
        matrix.show(Snapshot(margins.weights[name], leaving.short(), None), name)
    zeroing.offer(workspace, share, scope, task)


def _ask() -> tuple[float, str]:
    """The share of the weights that becomes zero, and how layers compete."""
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
    with left:
        percent = st.slider("Weights that become zero", 0.0, 99.5, 90.0, 0.5, "%.1f%%", key="share of zeros")
    with right:
        scope = st.selectbox("Scope", SCOPES, format_func=SCOPE_TITLES.get, key="scope of zeros")
    return percent / 100, scope


def _layers(margins: Margins, share: float, scope: str) -> None:
    told = margins.to_json(share, scope)
    table = pd.DataFrame(
        {"group": part["name"], "zeros": part["zeros"], "of": part["weights"], "share": part["sparsity"]}
        for part in told["layers"]
    )
    drawing = sparsity_bars(table)
    frame.chart(findings.of_sparsity(table), drawing, "The share of every layer that would become zero")
    reach = "" if told["margin"] is None else f", those of magnitude {told['margin']:.3g} and less"
    st.caption(
        f"The smallest {told['zeros']:,} of {told['weights']:,} weights leave{reach}. Nothing is cut yet, and no "
        "accuracy measured."
    )
