"""One layer's weights as a histogram, and what the step that is looked at did to them."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from explorer.runs.history.single_weights import Snapshot
from explorer.ui.charts import zeros
from explorer.ui.parts import frame
from explorer.ui.state.forms import kept
from explorer.ui.state.workspace import Workspace

CHOSEN, TRAINED = "As the step chose", "After its training"
Edges = tuple[float, float] | None
"""The margins between which weights leave; None where there are none to draw."""


def short(name: str) -> str:
    """A weight's name as it is said in sentences."""
    return name.removesuffix(".weight")


def choose(workspace: Workspace, names: Sequence[str]) -> str:
    """Asks for the layer, the same on all visits to a model."""
    return st.selectbox("Weight", names, key=kept(f"layer {workspace.model}"), persist_state="session")


def show_histogram(facts: Mapping[str, Any], edges: Edges, after: Snapshot | None = None) -> None:
    """The histogram of a layer with its margins; with a snapshot, what is left after training can be seen too.

    Args:
        facts: of the layer, as in `explorer.pruning.unstructured.told`.
        edges: the margins.
        after: the layer after the step's training.
    """
    view = CHOSEN
    if after is not None:
        view = st.radio("Weights", [CHOSEN, TRAINED], key="moment", horizontal=True)
    if after is not None and view == TRAINED:
        bins, said = zeros.bins(facts, after), _after_training(after, edges)
    else:
        bins, said = zeros.bins(facts), _when_chosen(facts, edges)
    frame.chart(
        f"{short(facts['name'])}: {said}",
        zeros.histogram(bins, edges),
        "Histogram of the weights of one layer, with the margins between which they leave",
    )


def _when_chosen(facts: Mapping[str, Any], edges: Edges) -> str:
    between = "" if not edges or not facts["removed"] else f" between {edges[0]:.3g} and {edges[1]:.3g}"
    return f"{facts['removed']:,} of {facts['weights']:,} weights leave{between.replace('-', '−')}"


def _after_training(after: Snapshot, edges: Edges) -> str:
    said = f"{after.left:,} weights are left after training"
    return said if edges is None else f"{said}, {after.within(edges):,} of them now between the margins"
