"""Sentences on a page that read as they are written, whatever names, refs and reports are in them.

Every message of an error or a warning is shown by these. Markup of the page's own goes through Streamlit, with `plain`
around what comes from elsewhere; `tests/ui/test_plain_text.py` holds all pages against that.
"""

from typing import Any

import streamlit as st

from explorer.plain import plain


def error(sentence: object, icon: str | None = None) -> None:
    st.error(plain(sentence), icon=icon)


def warning(sentence: object, icon: str | None = None) -> None:
    st.warning(plain(sentence), icon=icon)


def success(sentence: object, icon: str | None = None) -> None:
    st.success(plain(sentence), icon=icon)


def info(sentence: object, icon: str | None = None) -> None:
    st.info(plain(sentence), icon=icon)


def caption(sentence: object, **options: Any) -> None:
    st.caption(plain(sentence), **options)


def toast(sentence: object, **options: Any) -> None:
    st.toast(plain(sentence), **options)


def badge(word: object, **options: Any) -> None:
    """Streamlit gives the brackets of a badge a backslash of its own."""
    st.badge(plain(word).replace("\\[", "[").replace("\\]", "]"), **options)
