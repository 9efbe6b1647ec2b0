"""What stands in the controls of a method, whether they are on the page or not."""

from typing import Any

import streamlit as st

from explorer.methods import Method


def key_of(method: Method, setting: str) -> str:
    """The session's key of a method's control."""
    return f"{setting} of {method.name}"


def held(method: Method, setting: str, otherwise: Any) -> Any:
    """What stands in a method's control, or `otherwise` where it has not been on the page yet."""
    return st.session_state.get(key_of(method, setting), otherwise)
