"""The presets of a method: a choice among them, what is different in each, and how the form now differs from it."""

from collections.abc import Callable

import streamlit as st

from explorer.methods import Method
from explorer.methods.spec import Spec
from explorer.plain import plain
from explorer.ui.parts import say
from explorer.ui.state.forms import kept
from explorer.ui.text import terms

_WORDS = {
    "normalise": "normaliser",
    "recover": "recovery",
    "max_drop": "largest drop",
    "block_order": "order of blocks",
}
"""What settings are called where their controls have other names."""


def choose(method: Method, key: str, take: Callable[[str], None]) -> str:
    """Asks for a preset; gives its name, the first one's before anybody has chosen.

    Args:
        method: that has presets.
        key: of the choice, in the session.
        take: sets the controls to the preset of that name, as soon as it is chosen.
    """
    names = list(method.presets)
    chosen = st.radio(
        "Preset",
        names,
        format_func=lambda name: plain(method.presets[name].title),
        captions=[plain(preset.explanation) for preset in method.presets.values()],
        key=kept(key, method.presets),
        on_change=lambda: take(st.session_state[key]),
        persist_state="session",
        help=plain(terms.told("preset")),
    )
    return chosen or names[0]


def tell(method: Method, name: str, spec: Spec) -> None:
    """What the form has that the preset has not, and what of the source could not be kept."""
    preset = method.presets[name]
    changed = [_WORDS.get(entry, entry.replace("_", " ")) for entry in method.changes(name, spec)]
    if changed:
        say.caption(f"Changed from {preset.title}: {', '.join(changed)}.")
    if preset.repaired:
        with st.popover("What was repaired", icon=":material/build:"):
            for sentence in preset.repaired:
                say.caption(sentence)
