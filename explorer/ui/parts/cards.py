"""A choice of one among few, each a card with a title, a sentence and notes: more than a radio button has room for."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import streamlit as st

from explorer import places
from explorer.ui.state.forms import kept

_FOLDER = places.ASSETS / "cards"


@dataclass(frozen=True)
class Card:
    """One of the choices.

    Args:
        value: what is chosen by it.
        title: its name.
        text: what it is, in a sentence.
        notes: what else is to be known of it, a line each.
    """

    value: str
    title: str
    text: str
    notes: tuple[str, ...] = ()


def choose(label: str, cards: Sequence[Card], *, key: str, usual: str, least: int = 240) -> str:
    """Shows the cards; gives the value of the chosen one.

    What a person chooses stands in the session under `key`, and is remembered with the workspace. A value that is not
    offered, such as one of another model, counts as the usual one.

    Args:
        label: what is chosen, for who can't see the cards.
        cards: in their order.
        key: of the session.
        usual: the value at first.
        least: pixels that a card is wide at least; as many stand side by side as fit.
    """
    values = [card.value for card in cards]
    held = st.session_state.get(kept(key))
    chosen = held if held in values else usual

    def changed() -> None:
        value = st.session_state[f"{key} cards"].chosen
        if value in values:
            st.session_state[key] = value

    shown = {"key": key, "label": label, "least": least, "chosen": chosen, "cards": [asdict(card) for card in cards]}
    _component()(key=f"{key} cards", data=shown, on_chosen_change=changed)
    return chosen


@cache
def _component() -> Callable[..., Any]:
    """Registered once."""
    css, js = ((_FOLDER / f"cards.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return st.components.v2.component("choice_of_cards", css=css, js=js)
