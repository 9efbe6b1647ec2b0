"""Budget: the board. Cost follows the hand that drags a line, true accuracy comes when it lets go."""

import streamlit as st

from explorer.budget import LatencyModel, Target
from explorer.budget.latency_table import LatencyTable
from explorer.criteria import CRITERIA
from explorer.ui import engine
from explorer.ui.parts import frame, measured, sharing
from explorer.ui.parts.board import RUNTIME_NAMES, BoardUnavailableError, Commit, board, board_document
from explorer.ui.parts.detail import unit
from explorer.ui.parts.scoring import flows_for, scores_for
from explorer.ui.state import session
from explorer.ui.state.workspace import Choice
from explorer.ui.text import words
from pages.budget import allotting
from pages.budget.ladder import Ladder
from pages.budget.loss_by_class import loss_by_class
from pages.budget.sliders import sliders
from pages.budget.trail import trail

workspace = session.current()


def held() -> dict[str, int]:
    """The units that locked groups have lost: presets leave them at that."""
    return {name: len(plan.remove.get(name, ())) for name in workspace.locked}


def set_uniform() -> None:
    """One ratio for every group that has scores and is not locked."""
    ratio = st.session_state["uniform"] / 100
    stay = {name: part for name, part in workspace.budget.items() if name in workspace.locked}
    workspace.replace(dict.fromkeys(scores.groups, ratio) | dict.fromkeys(workspace.locked, 0.0) | stay)


def set_target() -> None:
    allotting.share_out(workspace, scores, held())


def take(commit: Commit) -> None:
    """What the board committed; a cell that was clicked is opened."""
    choice = Choice(commit.budget(structure), frozenset(commit.locked))
    session.own_change(workspace, lambda version: workspace.take(choice, version))
    st.session_state["inspect"] = commit.inspect


@st.dialog("A closer look", width="medium")
def look(name: str, number: int) -> None:
    unit(workspace, found, scores, name, number)


def presets() -> None:
    """A target to be shared out, the other ways to begin, and the way back."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.number_input(
            "Keep (%)",
            1,
            100,
            50,
            5,
            key="keep",
            width=115,
            persist_state="session",
            help="How much of the whole model's cost may remain",
        )
        st.selectbox(
            "of the",
            list(allotting.QUANTITIES),
            format_func=allotting.QUANTITIES.get,
            key="quantity",
            width=145,
            persist_state="session",
        )
        st.button("Cut to target", type="primary", on_click=set_target, icon=":material/adjust:")
        with st.popover("How", icon=":material/tune:", help="How the cut is shared out, and further limits"):
            ways()
        st.space("stretch")
        history()
    allotting.in_reach(workspace, held())
    allotting.watch(workspace)
    for sentence in st.session_state.pop("remark", ()):
        st.warning(words.sentence(sentence), icon=":material/info:")


def ways() -> None:
    allotting.ways()
    st.divider()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(
            "Or remove (%)",
            0,
            95,
            30,
            5,
            key="uniform",
            width=115,
            persist_state="session",
            help="This share of every group's units, the lowest scored first",
        )
        st.button("of every group", on_click=set_uniform, disabled=not scores.groups)


def history() -> None:
    draft = workspace.draft
    st.button("Undo", icon=":material/undo:", on_click=workspace.undo, disabled=not draft.past, shortcut="Mod+Z")
    st.button("Redo", icon=":material/redo:", on_click=workspace.redo, disabled=not draft.future)
    st.button(
        "Reset",
        icon=":material/restart_alt:",
        on_click=workspace.go_to,
        args=(Choice(),),
        disabled=draft.now == Choice(),
        help="Nothing goes and nothing is locked",
    )
    with st.popover("Share", icon=":material/link:", help="This state as a link or a file"):
        sharing.panel(workspace, plan)


def shown_target() -> Target | None:
    """The target that the board's counters can mark."""
    kind = st.session_state["quantity"]
    return Target(kind, st.session_state["keep"] / 100) if kind != "size" else None


def controls() -> None:
    """The board, or native sliders where it can't be shown or is not wanted."""
    table = engine.table(workspace.model)
    native = st.session_state.get("native", False)
    try:
        if not native:
            board(
                board_document(
                    structure,
                    scores,
                    workspace.budget,
                    workspace.locked,
                    session.revision(workspace),
                    flows=flows_for(workspace),
                    curves=curves,
                    latency=latency,
                    target=shown_target(),
                    shares=dict(zip(table.name, table.macs, strict=True)),
                ),
                key=f"board {workspace.model}",
                on_change=take,
            )
    except BoardUnavailableError as error:
        st.warning(words.sentence(str(error)), icon=":material/info:")
        native = True
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"Scored by **{CRITERIA[workspace.criterion].title}**, which the Flow page changes.", width="stretch"
        )
        st.toggle("Native sliders", key="native", persist_state="session", help="Plain controls with the same state")
    if native:
        st.markdown(
            f"**{words.count(now.macs)} MACs** of {words.count(whole.macs)}, **{words.count(now.params)} parameters** "
            f"of {words.count(whole.params)}" + predicted()
        )
        sliders(workspace, structure, scores, plan, table)


def predicted() -> str:
    """The latency of the plan, as the board's counter has it."""
    if latency is None:
        return ""
    table = LatencyTable.of(latency)
    ms = LatencyModel(table, structure)(plan.kept(structure))
    return f", predicted **{ms:.3g} ms** of {table.base_ms:.3g} ms in {RUNTIME_NAMES[table.runtime]}"


def measurements() -> None:
    """What the rows can show besides scores: offered where it is not measured, and where to see it large."""
    if curves is None:
        measured.measure_curves(workspace, task)
    measured.times(workspace, latency)
    if curves or latency:
        frame.onward("sensitivity", "The small charts of the rows, large")


frame.heading("Budget", "Drag the line of any row: what lies left of it leaves. Nothing is cut yet.", workspace)
found = frame.model_or_stop(workspace)
structure = found.structure
if not structure.groups:
    st.info("This network has no channels that can be cut; the Model page says why.", icon=":material/lock:")
    st.stop()
scores = scores_for(workspace)
if scores is None:
    st.stop()
task = frame.task_or_word(workspace, found)
allotting.take_result(workspace)
curves, latency = measured.curves_of(workspace), measured.staircases_of(workspace)
plan = engine.plan_of(workspace.model, scores, workspace.budget)
whole, now = structure.cost(), structure.cost(plan.kept(structure))

ladder = Ladder(workspace, task)
presets()
controls()
allotting.account(workspace, structure)
measurements()
left, right = st.columns(2, gap="medium")
frame.onward("prune", "Next: cut for real and recover the accuracy")
if inspected := st.session_state.pop("inspect", None):
    look(*inspected)
reached = ladder.climb(plan, (now.macs / whole.macs, now.params / whole.params))
if reached is not None:
    with left:
        loss_by_class(task, *reached)
    with right:
        trail(workspace, task)
