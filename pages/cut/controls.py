"""How much of every group goes: the board, or native sliders where it can't be shown or is not wanted."""

from functools import partial

import pandas as pd
import streamlit as st

from explorer.board.commit import Commit
from explorer.board.document import board_document
from explorer.budget import LatencyModel
from explorer.budget.latency_table import RUNTIMES, LatencyTable
from explorer.criteria import CRITERIA
from explorer.ui import engine
from explorer.ui.parts import say
from explorer.ui.parts.board import BoardUnavailableError, board
from explorer.ui.parts.detail import unit
from explorer.ui.parts.scoring import flows_for
from explorer.ui.state import session
from explorer.ui.state.forms import kept
from explorer.ui.text import words
from pages.cut import measuring, targets
from pages.cut.sliders import sliders
from pages.cut.view import View

INSPECTED = "inspect"  # the (group, unit) that was clicked on the board, until it has been opened


def show(view: View) -> None:
    """The board or sliders, and the switch between them."""
    table = engine.table(view.workspace.model)
    native = st.session_state.get(kept("native"), False)
    if not native:
        try:
            _board(view, table)
        except BoardUnavailableError as error:
            say.warning(words.sentence(str(error)), icon=":material/info:")
            native = True
    with st.container(horizontal=True, vertical_alignment="center"):
        title = CRITERIA[view.workspace.criterion].title
        st.caption(f"Scored by **{title}**, which the Look page changes.", width="stretch")
        st.toggle(
            "Native sliders", key=kept("native"), persist_state="session", help="Plain controls with the same state"
        )
    if native:
        st.markdown(_costs(view))
        sliders(view.workspace, view.structure, view.scores, view.plan, table)


def _board(view: View, table: pd.DataFrame) -> None:
    workspace = view.workspace
    document = board_document(
        view.structure,
        view.scores,
        workspace.budget,
        workspace.locked,
        session.revision(workspace),
        blocks=workspace.blocks,
        flows=flows_for(workspace),
        curves=view.curves,
        latency=view.latency,
        target=targets.on_board(),
        shares=dict(zip(table.name, table.macs, strict=True)),
    )
    board(
        document, key=f"board {workspace.model}", head=False, on_change=partial(_take, view), on_ask=measuring.open_for
    )


def _take(view: View, commit: Commit) -> None:
    """What the board committed; a cell that was clicked is opened."""
    choice = commit.choice(view.structure, view.workspace.draft.now)
    session.own_change(view.workspace, lambda version: view.workspace.take(choice, version))
    st.session_state[INSPECTED] = commit.inspect


def _costs(view: View) -> str:
    """The board's counters in words."""
    whole, now = view.whole, view.now
    said = (
        f"**{words.count(now.macs)} MACs** of {words.count(whole.macs)}, **{words.count(now.params)} parameters** "
        f"of {words.count(whole.params)}"
    )
    if view.latency is None:
        return said
    times = LatencyTable.of(view.latency)
    ms = LatencyModel(times, view.structure)(view.plan.kept(view.structure))
    return f"{said}, predicted **{ms:.3g} ms** of {times.base_ms:.3g} ms in {RUNTIMES[times.runtime]}"


def look_at_inspected(view: View) -> None:
    """Opens the cell that was clicked on the board, if one was."""
    if inspected := st.session_state.pop(INSPECTED, None):
        _look(view, *inspected)


@st.dialog("A closer look", width="medium")
def _look(view: View, group: str, number: int) -> None:
    unit(view.workspace, view.opened, view.scores, group, number)
