"""Declared settings on a page: a control for each, and what a person chose."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from explorer.plain import plain
from explorer.registry import Choice, Number, Setting
from explorer.ui.state.forms import kept
from explorer.ui.text import words

Key = Callable[[str], str]
"""The session's key of a setting's control, by the setting's name."""


def ask(settings: Mapping[str, Setting], key: Key, usual: Mapping[str, Any], *, keep: bool = False) -> None:
    """A control for each setting, side by side.

    Args:
        settings: by name.
        key: of the controls.
        usual: what stands there at first, by name, where that is not the setting's default.
        keep: what was chosen outlives a visit to another page.
    """
    persist = "session" if keep else None
    with st.grid(3, min_column_width=200):
        for name, setting in settings.items():
            control = _choice if isinstance(setting, Choice) else _number
            label, first = name.replace("_", " ").capitalize(), usual.get(name, setting.default)
            place = kept(key(name)) if keep else key(name)
            control(
                label, setting, first, key=place, help=plain(words.sentence(setting.meaning)), persist_state=persist
            )


def chosen(settings: Mapping[str, Setting], key: Key) -> dict[str, str]:
    """The texts of those settings that are not at their defaults; none of those not asked yet."""
    values = {name: st.session_state.get(key(name)) for name in settings}
    return {name: str(value) for name, value in values.items() if value not in (None, settings[name].default)}


def _choice(label: str, setting: Choice, usual: str, **named: Any) -> None:
    st.selectbox(plain(label), setting.allowed, setting.allowed.index(usual), **named)


def _number(label: str, setting: Number, usual: float | None, **named: Any) -> None:
    kind, form = (int, "%d") if setting.whole else (float, "%g")
    first = None if usual is None else kind(usual)
    step = 1 if setting.whole else (first or 0.1) / 10
    low, high = kind(setting.low), kind(setting.high)
    st.number_input(plain(label), low, high, first, step, form, placeholder="by itself", **named)
