"""A run that sets single weights to zero, step by step."""

import shlex
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from explorer.errors import ExplorerError
from explorer.plain import named, plain
from explorer.runs.history.single_weights import Snapshot, SparseRun, drawn, margins, snapshot
from explorer.tasks import METRICS
from explorer.ui.charts.zeros import sparsity_map
from explorer.ui.parts import frame, say
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import findings, terms, words
from pages.weights import layer, matrix, savings


def show(workspace: Workspace, run: SparseRun) -> None:
    """The steps of a run, one of them more closely, and what the zeros of a finished one save."""
    if (model := run.spec["model"]) != workspace.model:
        st.caption(f"This is a run of {named(model)}, not of the open model.")
    step = _scrubber(run)
    _facts(run, step)
    left, right = st.columns(2, gap="medium")
    with left:
        _layers(run, step)
    with right:
        name = layer.choose(workspace, run.layers)
        facts, after = run.layer(name, step), _kept(run, name, step)
        layer.show_histogram(facts, margins(run, name, step), after)
        say.caption(_how_chosen(run, name, step))
    st.markdown(_what_came_back(facts, step))
    if after is not None:
        matrix.show(after, name, len(run.steps))
    if run.result is not None:
        savings.show(run)
    with st.popover("The same on the command line", icon=":material/terminal:"):
        asked = ["--run", str(run.folder), "--layer", name, "--step", str(step)]
        line = shlex.join(["python", "-m", "explorer", "weights", *asked, "--json"])
        st.code(line, language=None, wrap_lines=True)


def _scrubber(run: SparseRun) -> int:
    """The step to look at; a later one is followed unless a person looks back."""
    key, seen = f"weights step {run.folder}", f"newest weights step {run.folder}"
    last = run.steps[-1]["step"]
    if st.session_state.get(key) == st.session_state.get(seen):
        st.session_state[key] = last
    st.session_state[seen] = last
    if last == 1:
        return 1
    return st.select_slider("Step", [step["step"] for step in run.steps], key=key, help="Arrow keys move it too.")


def _facts(run: SparseRun, step: int) -> None:
    told, moved, metric = run.at(step), run.moved(step), METRICS[run.metric]
    with st.grid(4, min_column_width=150):
        about = terms.told("sparsity", "Counted over all layers that could become zero.")
        frame.fact("Zero", f"{told['sparsity']:.1%}", definition=about)
        frame.fact("Left", words.count(moved.removed), definition="Weights that this step set to zero.")
        frame.fact("Came back", words.count(moved.regrown), definition="Weights that were zero before this step.")
        value = metric.text(told[f"{run.metric}_after"])
        frame.fact(f"Validation {metric.short}", value, definition="After the training of this step.")


def _layers(run: SparseRun, step: int) -> None:
    """How sparse every layer is after every step."""
    table = pd.DataFrame(
        {
            "step": each["step"],
            "group": part["name"],
            "zeros": part["weights"] - part["kept"],
            "of": part["weights"],
            "share": part["sparsity"],
        }
        for each in run.steps
        for part in each["layers"]
    )
    finding = findings.of_sparsity(table[table.step == step])
    frame.chart(finding, sparsity_map(table, step), "How sparse every layer is after every step")
    st.caption("A column per step. Where layers compete, those whose weights are small lose most of them.")


def _kept(run: SparseRun, name: str, step: int) -> Snapshot | None:
    """The layer after the step; None, and the reason on the page, where its weights are not kept."""
    try:
        return snapshot(run, name, step)
    except ExplorerError as error:
        say.caption(words.sentence(str(error)))
        return None


def _how_chosen(run: SparseRun, name: str, step: int) -> str:
    if margins(run, name, step):
        return (
            f"Dashed: the margins, {_what_margins_are(run, step)} After training, weights may lie between them: they "
            "moved there, and stay."
        )
    if not run.layer(name, step)["removed"]:
        return "Nothing left this layer in this step, so there is no margin to draw."
    return f"Chosen by {run.spec['criterion']} or in a pattern, not by magnitude alone: there is no margin to draw."


def _what_margins_are(run: SparseRun, step: int) -> str:
    signed, shared = drawn(run, step)
    said = "the largest magnitude that left in this step."
    if signed:
        said = (
            f"two quantiles of the signed weights of {'all layers together' if shared else 'this layer'}: as many "
            "stay below the lower as above the upper, whatever their magnitudes."
        )
    return f"{said} A layer whose weights all lie between them loses everything." if shared else said


def _what_came_back(facts: Mapping[str, Any], step: int) -> str:
    """How many weights of a layer came back since the step before."""
    name = f"**{plain(layer.short(facts['name']))}**"
    if step == 1:
        return f"{name}: the first step; nothing had left before it."
    if not facts["regrown"]:
        return f"{name}: no weight came back since step {step - 1:d}."
    said = "weight" if facts["regrown"] == 1 else "weights"
    return f"{name}: {facts['regrown']:,} {said} came back since step {step - 1:d}. They begin again at zero."
