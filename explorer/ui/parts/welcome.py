"""What a first visit is offered: a look of two minutes, or straight to work. Never twice in the way."""

from collections.abc import Callable
from functools import cache

import streamlit as st

from explorer.errors import ExplorerError
from explorer.learning.lessons.reading import OPENING, find_lesson
from explorer.ui.navigation import PAGES
from explorer.ui.parts import lesson, opening, say
from explorer.ui.state import session
from explorer.ui.state.workspace import Workspace

COOKIE = "explorer_welcomed"
_YEAR = 365 * 24 * 3600  # seconds that a browser remembers it
_MARK = f"""
export default () => {{
  document.cookie = "{COOKIE}=1; path=/; max-age={_YEAR}; SameSite=Lax"
}}
"""


def offer(workspace: Workspace) -> None:
    """The card of the first visit; nothing where somebody has been here, came by a link, or is at work already.

    Once it was shown, the browser carries a cookie, so that no later visit meets it, in whatever workspace.
    """
    if not st.session_state.get(session.NEW):
        return
    if st.context.cookies.get(COOKIE) == "1" or not workspace.empty or opening.asked() is not None:
        st.session_state[session.NEW] = False
        return
    with st.container(border=True, key="welcome", gap="small"):
        st.markdown("**New here?** See in two minutes what a network answers, what a cut breaks, and what repairs it.")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            look = st.button("Take the two-minute look", key="welcome look", type="primary")
            st.button("Straight to work", key="welcome work", on_click=_close)
            if "learn" in PAGES:
                st.page_link(PAGES["learn"].path, label="All lessons", icon=":material/school:")
    _marker()(key="welcome mark")
    if look:
        _close()
        try:
            page = lesson.begin(workspace, find_lesson(OPENING))
        except ExplorerError as error:
            say.error(f"The look can't be opened: {error}")
            return
        st.switch_page(page)


def _close() -> None:
    st.session_state[session.NEW] = False


@cache
def _marker() -> Callable[..., object]:
    """What lets the browser remember; registered once."""
    return st.components.v2.component("welcome_mark", js=_MARK)
