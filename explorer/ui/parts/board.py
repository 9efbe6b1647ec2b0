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


class BoardUnavailableError(ExplorerError):
    """The component can't be shown here; the page falls back to native controls."""


def board(
    document: Mapping[str, Any],
    *,
    key: str,
    height: int = 640,
    on_change: Callable[[Commit], None] | None = None,
) -> Commit | None:
    """Shows the board; gives what a person did in this run, if anything.

    Args:
        document: from `board_document`.
        height: of the whole board in pixels; a network with few groups takes less.
        on_change: called with the commit before the script runs again, so that all of the page follows it.

    Raises:
        BoardUnavailableError: this Streamlit has no components of version 2, or the assets are missing.
    """
    picture, feed = _components()

    def changed() -> None:
        commit = accept(st.session_state[key].commit, document["revision"], document)
        if commit and on_change:
            on_change(commit)

    # Two elements: what is heavy stays the same from run to run, so that Streamlit sends a reference to it, and
    # what a drag changes is small.
    fixed, changing = split(document)
    with st.container(gap=None):
        result = picture(key=key, data={**fixed, "key": key, "height": height, "head": False}, on_commit_change=changed)
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
        picture = component("pruning_board", css=scripts.styles("board"), js=scripts.joined("streamlit"))
        return picture, component("pruning_board_feed", js=scripts.source("feed"))
    except (AttributeError, OSError) as error:
        raise BoardUnavailableError(f"the board can't be shown ({error}): use the sliders below") from error
