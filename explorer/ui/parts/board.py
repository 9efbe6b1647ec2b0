"""The board as a component, which answers while a hand still drags.

Python is the truth. A document carries a revision; the browser takes over Python's values only when it changes, and
`accept` drops what was committed against an older one.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import streamlit as st

from explorer.board import scripts
from explorer.board.commit import Commit, accept
from explorer.board.wire import split
from explorer.errors import ExplorerError

ASKED = ("loss", "latency")  # what cells can be coloured by once it is measured


class BoardUnavailableError(ExplorerError):
    """The component can't be shown here; the page falls back to native controls."""


def board(
    document: Mapping[str, Any],
    *,
    key: str,
    head: bool = True,
    height: int | None = None,
    on_change: Callable[[Commit], None] | None = None,
    on_ask: Callable[[str], None] | None = None,
) -> Commit | None:
    """Shows the board; gives what a person did in this run, if anything.

    Args:
        document: from `board_document`.
        head: whether its counters stand above it.
        height: of the whole board in pixels; by default that of its rows up to thirty, else of the window.
        on_ask: called with "loss" or "latency" before the script runs again, where a person wants to see what is not
            measured yet.
        on_change: called with the commit before the script runs again, so that all of the page follows it.

    Raises:
        BoardUnavailableError: this Streamlit has no components of version 2, or the assets are missing.
    """
    picture, feed = _components()

    def changed() -> None:
        commit = accept(st.session_state[key].commit, document["revision"], document)
        if commit and on_change:
            on_change(commit)

    def asked() -> None:
        what = st.session_state[key].ask
        if on_ask and what in ASKED:
            on_ask(what)

    # Two elements: what is heavy stays the same from run to run, so that Streamlit sends a reference to it, and
    # what a drag changes is small.
    fixed, changing = split(document)
    with st.container(gap=None):
        data = {**fixed, "key": key, "height": height, "head": head}
        result = picture(key=key, data=data, on_commit_change=changed, on_ask_change=asked)
        feed(key=f"{key} feed", data={**changing, "key": key})
    return accept(result.commit, document["revision"], document)


@cache
def _components() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The picture, and the element that feeds it; registered once.

    Raises:
        BoardUnavailableError: see `board`.
    """
    try:
        component = st.components.v2.component
        picture = component("pruning_board", css=scripts.styles("counters", "board"), js=scripts.joined("streamlit"))
        return picture, component("pruning_board_feed", js=scripts.source("feed"))
    except (AttributeError, OSError) as error:
        raise BoardUnavailableError(f"the board can't be shown ({error}): use the sliders below") from error
