"""Methods that choose by themselves what leaves: a card each, and the settings of the chosen one."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import streamlit as st

from explorer.criteria import CRITERIA
from explorer.methods import METHODS, Method
from explorer.plain import plain
from explorer.recovery import RECOVERIES
from explorer.tasks import Metric, Task
from explorer.ui.navigation import path_to
from explorer.ui.parts import cards, presets, say
from explorer.ui.state.form_keys import METHOD
from explorer.ui.state.forms import kept
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import terms
from pages.recover import controls, further, settings, values
from pages.recover.controls import SIDE_BY_SIDE
from pages.recover.held import key_of
from pages.recover.settings import FREE, TO_TARGET

TEACHERS = {"base": "The base model", "previous": "The step before"}


def choose() -> None:
    """The cards of all that the registry has, and where those are that set single weights to zero."""
    offered = [
        cards.Card(entry.name, entry.title, entry.explanation, tuple(_notes(entry))) for entry in settings.that_choose()
    ]
    cards.choose("Method", offered, key=METHOD, usual=offered[0].value, least=300)
    sparse = [entry.title for entry in METHODS.values() if entry.sparse]
    if sparse:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            say.caption(f"{' and '.join(sparse)} set single weights to zero instead of channels.", width="content")
            st.page_link(path_to("weights"), label="Go to Weights", icon=":material/grid_on:")


def _notes(method: Method) -> Iterator[str]:
    if method.needs:
        yield f"Needs {', '.join(sorted(method.needs))}"
    if method.reference:
        yield method.reference
    if method.presets:
        yield f"Presets: {', '.join(preset.title for preset in method.presets.values())}"


def ask(workspace: Workspace, method: Method, task: Task | None) -> None:
    """The presets and the settings of the chosen method."""
    preset, told = "", st.container()
    if method.presets:
        with told:
            preset = presets.choose(method, key_of(method, "preset"), partial(_take, workspace, method, task))
    _settings(workspace, method, task)
    if preset:
        with told:  # once all controls have what this session or another knows of them
            presets.tell(method, preset, settings.spec_of(workspace, task))


def _take(workspace: Workspace, method: Method, task: Task | None, preset: str) -> None:
    """Sets the controls to a preset; what it says nothing of stays, but for the steps, which are as at first."""
    asked = replace(settings.spec_of(workspace, task), steps=settings.STEPS)
    for key, value in values.of(workspace, method, method.following(preset, asked), task).items():
        st.session_state[key] = value


def _settings(workspace: Workspace, method: Method, task: Task | None) -> None:
    if method.gradual:
        left, right = st.columns(2, gap="medium")
        with left:
            _how_far(method, settings.metric_of(task))
        with right:
            _how(method, task)
    else:
        with st.container(**SIDE_BY_SIDE):
            controls.amount(method)
            after = controls.recovery(method, "Afterwards", task)
            controls.epochs(method, "Epochs, at most", disabled=not RECOVERIES[after].trains)
    further.ask(workspace, method, settings.criterion_of(method))


def _how_far(method: Method, metric: Metric) -> None:
    far = st.radio(
        "How far",
        [TO_TARGET, FREE],
        captions=["Stops there, or before it at the largest drop", "Goes on until the largest drop is reached"],
        key=kept(key_of(method, "far")),
        persist_state="session",
    )
    controls.amount(method, disabled=far == FREE)
    scale, usual = settings.scale(metric), settings.usual_drop(method, metric)
    controls.number(
        method,
        "drop",
        f"Largest drop{' (points)' if metric.share else ''}",
        usual,
        usual / 4,
        f"Of {metric.short} on the validation data, against the whole model. A step that falls further is taken back.",
        limits=(0.0, scale),
        width=200,
    )
    if "blocks" in method.settings:
        _blocks(method)


def _blocks(method: Method) -> None:
    free = st.checkbox(
        "As many blocks as accuracy allows",
        True,
        key=kept(key_of(method, "all blocks")),
        persist_state="session",
        help="After the channels, whole residual blocks leave, one at a time.",
    )
    with st.container(**SIDE_BY_SIDE):
        controls.number(method, "blocks", "Blocks, at most", 2, 1, "How many may leave", disabled=free)
        st.selectbox(
            "In the order of",
            method.settings["block_order"].allowed,
            key=kept(key_of(method, "block order")),
            width=150,
            persist_state="session",
            help="**divergence**: how little a block changes its input.  \n**loss**: how little is lost without it.",
        )


def _how(method: Method, task: Task | None) -> None:
    with st.container(**SIDE_BY_SIDE):
        about = "Cuts, each chosen anew by the scores of what is left"
        controls.number(method, "steps", "Steps", settings.STEPS, 1, about)
        after = controls.recovery(method, "After each step", task)
    with st.container(**SIDE_BY_SIDE):
        controls.epochs(method, "Epochs per step", disabled=not RECOVERIES[after].trains)
        st.selectbox(
            "It imitates",
            method.settings["teacher"].allowed,
            format_func=TEACHERS.get,
            key=kept(key_of(method, "teacher")),
            width=230,
            persist_state="session",
            disabled=after != "distill",
            help=plain(terms.told("teacher")),
        )
    usual = settings.usual(method)["criterion"]
    st.selectbox(
        "Scores by",
        list(CRITERIA),
        index=list(CRITERIA).index(usual),
        format_func=lambda name: plain(CRITERIA[name].title),
        key=kept(key_of(method, "criterion"), CRITERIA),
        width=385,
        persist_state="session",
        help=plain(terms.told("criterion", "The Look page explains each.")),
    )
