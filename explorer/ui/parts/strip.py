"""The strip of every step: what the network reaches and costs, always in sight; it moves with a hand on the board."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

import streamlit as st

from explorer.board import scripts
from explorer.ui.text.stage import Stage

ACTION = "strip action"
_turns = itertools.count(1)


@dataclass(frozen=True)
class Said:
    """All that the strip says.

    Args:
        about: what is measured, and on what.
        word: what must not be overlooked, such as a network at chance; empty where there is nothing.
        why: the same as a sentence, on hover.
        stages: from the whole network on.
        cost: ``{whole, now, latency, target}`` as `assets/board/parts.js` takes them; None as long as it is not known.
    """

    about: str
    word: str = ""
    why: str = ""
    stages: Sequence[Stage] = field(default_factory=tuple)
    cost: Mapping[str, Any] | None = None


class Strip:
    """The strip's place on a page; `show` may be called as often as there is something new to say.

    Args:
        on_action: called with the name of a stage whose button was pressed.
    """

    def __init__(self, on_action: Callable[[str], None]) -> None:
        picture, self._feed = _components()

        def pressed() -> None:
            if name := st.session_state[ACTION].action:
                on_action(name)

        with st.container(gap=None):
            picture(key=ACTION, data={}, on_action_change=pressed)
            self._place = st.empty()

    def show(self, said: Said) -> None:
        """Says it; the latest word counts."""
        with self._place:
            self._feed(data={**asdict(said), "turn": next(_turns)})


@cache
def _components() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The strip, and the element that feeds it; registered once."""
    component = st.components.v2.component
    picture = component("pruning_strip", css=scripts.styles("counters", "strip"), js=scripts.joined("strip_streamlit"))
    return picture, component("pruning_strip_feed", js=scripts.source("strip_feed"))
