"""What stands in the controls of a workspace: kept with it, so that a reload and another tab find it again."""

from collections.abc import Container
from typing import Any

import streamlit as st

from explorer.ui.state import session

_PLAIN = (str, int, float, bool, type(None))


def kept(key: str, offered: Container[Any] | None = None) -> str:
    """The key of a control whose value the workspace remembers; asked for where the control is made.

    What a person has set is noted; where this session knows no value yet, the workspace's becomes that of the control.

    Args:
        key: of the control.
        offered: what can be chosen now, where that depends on the model or the data: another value is forgotten.
    """
    workspace = session.current()
    if offered is not None and st.session_state.get(key) not in offered:
        st.session_state.pop(key, None)
    if key in st.session_state:
        value = st.session_state[key]
        if _is_plain(value):
            workspace.note(key, value)
    elif key in workspace.form and (offered is None or workspace.form[key] in offered):
        st.session_state[key] = workspace.form[key]
    return key


def _is_plain(value: Any) -> bool:
    """Whether a value is one that controls of every session may take over."""
    if isinstance(value, list | tuple):
        return all(isinstance(entry, _PLAIN) for entry in value)
    return isinstance(value, _PLAIN)
