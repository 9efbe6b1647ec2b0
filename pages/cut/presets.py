"""Above the board, in one line: a target to be shared out, how that is done, and the way back."""

import streamlit as st

from explorer.ui.parts import say, sharing
from explorer.ui.state.forms import kept
from explorer.ui.state.workspace import Choice
from explorer.ui.text import words
from pages.cut import account, allotting, searching, targets
from pages.cut.view import View


def show(view: View) -> None:
    """The line, and below it what of the target can't be had and how sharing it out goes."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        targets.ask()
        st.button("Share it out", type="primary", on_click=allotting.share_out, args=(view,))
        searching.button(view)
        with st.popover("How", icon=":material/tune:", help="How the cut is shared out, and further limits"):
            targets.ask_further()
            in_reach = st.container()
            st.divider()
            _uniform(view)
        st.space("stretch")
        _history(view)
    found = account.reachable(view.workspace, view.held(allotting.by_hand(view.workspace)))
    with in_reach:
        say.caption(found.words)
    if found.problem:
        say.warning(found.problem, icon=":material/block:")
    allotting.watch(view.workspace)
    searching.watch(view.workspace)
    for sentence in st.session_state.pop("remark", ()):
        say.warning(words.sentence(sentence), icon=":material/info:")


def _uniform(view: View) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(
            "Or remove (%)",
            0,
            95,
            30,
            5,
            key=kept("uniform"),
            width=130,
            persist_state="session",
            help="This share of every group's units, the lowest scored first",
        )
        st.button("of every group", on_click=_set_uniform, args=(view,), disabled=not view.scores.groups)


def _set_uniform(view: View) -> None:
    """One ratio for every group that has scores and is not locked."""
    workspace, ratio = view.workspace, st.session_state["uniform"] / 100
    stay = {name: part for name, part in workspace.budget.items() if name in workspace.locked}
    workspace.replace(dict.fromkeys(view.scores.groups, ratio) | dict.fromkeys(workspace.locked, 0.0) | stay)


def _history(view: View) -> None:
    workspace, draft = view.workspace, view.workspace.draft
    with st.popover("Share", icon=":material/link:", help="This state as a link or a file"):
        sharing.panel(workspace, view.plan)
    st.button("Undo", on_click=workspace.undo, disabled=not draft.past, shortcut="Mod+Z")
    st.button("Redo", on_click=workspace.redo, disabled=not draft.future)
    st.button(
        "Reset",
        on_click=workspace.go_to,
        args=(Choice(),),
        disabled=draft.now == Choice(),
        help="Nothing goes and nothing is locked",
    )
