"""The board as a component, which answers while a hand still drags.

Python is the truth. A document carries a revision; the browser takes over Python's values only when it changes, and
`accept` drops what was committed against an older one.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import streamlit as st

from explorer import places
from explorer.errors import ExplorerError
from explorer.ui.parts.board.commit import Commit, accept

ASSETS = places.ASSETS / "board"
MODULES = (
    *("cost", "words", "clock", "lanes", "view", "rows", "measured"),
    *("colours", "paint", "parts", "tools", "row", "hand", "board"),
)
VOLATILE = ("removed", "locked")  # of a group: what a drag changes


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
    fixed, changing = _split(document)
    with st.container(gap=None):
        result = picture(key=key, data={**fixed, "key": key, "height": height}, on_commit_change=changed)
        feed(key=f"{key} feed", data={**changing, "key": key})
    return accept(result.commit, document["revision"], document)


def _split(document: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What stays while a person drags, its arrays packed, and what changes; both have the former's `id`."""
    fixed = {
        **{name: document[name] for name in ("cost", "whole", "links", "range", "metric", "latency")},
        "groups": [_packed(group) for group in document["groups"]],
    }
    digest = hashlib.sha256(json.dumps(fixed).encode()).hexdigest()
    changing = {name: [group[name] for group in document["groups"]] for name in VOLATILE}
    changing.update({name: document[name] for name in ("target", "revision")}, id=digest)
    return {**fixed, "id": digest}, changing


def _packed(group: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in group.items() if name not in VOLATILE}
    for name, dtype in (("scores", "<f4"), ("order", "<u4"), ("flow", "<f4")):
        if kept[name] is not None:
            kept[name] = base64.b64encode(np.asarray(kept[name], dtype).tobytes()).decode()
    return kept


@cache
def _components() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The picture, and the element that feeds it; registered once.

    Raises:
        BoardUnavailableError: see `board`.
    """
    try:
        component = st.components.v2.component
        css = (ASSETS / "board.css").read_text(encoding="utf-8")
        return component("pruning_board", css=css, js=script()), component("pruning_board_feed", js=_source("feed"))
    except (AttributeError, OSError) as error:
        raise BoardUnavailableError(f"the board can't be shown ({error}): use the sliders below") from error


def script() -> str:
    """The modules of `assets/board` as one, which is what a component may be; each keeps its own scope."""
    *parts, last = MODULES
    return "\n".join([*(_scoped(name) for name in parts), _IMPORT.sub(_destructured, _source(last))])


_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:function|class|const) (\w+))", re.MULTILINE)


def _source(name: str) -> str:
    return (ASSETS / f"{name}.js").read_text(encoding="utf-8")


def _scoped(name: str) -> str:
    body = _IMPORT.sub(_destructured, _source(name))
    exports = ", ".join(found.group(2) for found in _EXPORT.finditer(body))
    body = _EXPORT.sub(lambda found: found.group(1), body)
    return f"const module_{name} = (() => {{\n{body}\nreturn {{ {exports} }};\n}})();"


def _destructured(found: re.Match[str]) -> str:
    return f"const {found.group(1)} = module_{found.group(2)};"
