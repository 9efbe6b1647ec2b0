"""What stands in the controls of a workspace: kept with it, so that a reload and another tab find it again."""

from collections.abc import Container
from typing import Any

import streamlit as st

from explorer.ui.state import session

NOTED = "controls as noted"  # what this session last knew of each
_PLAIN = (str, int, float, bool, type(None))


def kept(key: str, offered: Container[Any] | None = None) -> str:
    """The key of a control whose value the workspace remembers; asked for where the control is made.

    What a person has set here is noted; where this session knows no value yet, or another tab has set one since, the
    workspace's becomes that of the control.

    Args:
        key: of the control.
        offered: what can be chosen now, where that depends on the model or the data: another value is forgotten.
    """
    state, form = st.session_state, session.current().form
    noted: dict[str, Any] = state.setdefault(NOTED, {})
    if offered is not None and state.get(key) not in offered:
        state.pop(key, None)
    usable = key in form and (offered is None or form[key] in offered)
    if key not in state:
        if usable:
            state[key] = form[key]
    elif usable and key in noted and state[key] == noted[key] != form[key]:
        state[key] = form[key]
    elif _is_plain(state[key]):
        session.current().note(key, state[key])
    if key in state:
        noted[key] = state[key]
    return key


def _is_plain(value: Any) -> bool:
    """Whether a value is one that controls of every session may take over."""
    if isinstance(value, list | tuple):
        return all(isinstance(entry, _PLAIN) for entry in value)
    return isinstance(value, _PLAIN)
