"""Controls that several methods have: numbers, epochs, what follows the cut."""

import streamlit as st

from explorer.methods import Method
from explorer.plain import plain
from explorer.recovery import RECOVERIES
from explorer.tasks import Task
from explorer.ui.state.forms import kept
from explorer.ui.text import terms
from pages.recover import settings
from pages.recover.held import key_of

QUANTITIES = {"macs": "MACs", "params": "parameters"}
SIDE_BY_SIDE = {"horizontal": True, "vertical_alignment": "bottom", "gap": "small"}
LIMITS: dict[str, tuple[float, float]] = {
    "keep": (1, 99),
    "epochs": (1, 200),
    "steps": (1, 100),
    "blocks": (0, 1000),
}
"""The smallest and the largest number of a control, by its setting."""


def number(
    method: Method,
    setting: str,
    label: str,
    first: float,
    step: float,
    about: str,
    *,
    limits: tuple[float, float] | None = None,
    width: int | str = 140,
    disabled: bool = False,
) -> None:
    """A number, at first `first`, within the setting's limits or those given."""
    low, high = limits or LIMITS[setting]
    st.number_input(
        plain(label),
        low,
        high,
        first,
        step,
        key=kept(key_of(method, setting)),
        width=width,
        persist_state="session",
        disabled=disabled,
        help=plain(about),
    )


def epochs(method: Method, label: str, *, width: int | str = 140, disabled: bool = False) -> None:
    about = terms.told("epoch", "It stops earlier when the validation metric no longer rises.")
    number(method, "epochs", label, settings.epochs_at_first(method), 1, about, width=width, disabled=disabled)


def amount(method: Method, *, disabled: bool = False) -> None:
    """How much is to be kept, and of what."""
    with st.container(**SIDE_BY_SIDE):
        number(method, "keep", "Keep (%)", settings.KEEP, 5, terms.told("target"), disabled=disabled)
        st.selectbox(
            "of the",
            list(QUANTITIES),
            format_func=QUANTITIES.get,
            key=kept(key_of(method, "quantity"), QUANTITIES),
            width=150,
            persist_state="session",
            disabled=disabled,
        )


def recovery(method: Method, label: str, task: Task | None) -> str:
    """Which recovery a method that chooses by itself is followed by."""
    names, usual = settings.fitting(task), settings.usual(method)["recover"]
    return st.selectbox(
        plain(label),
        names,
        index=names.index(usual) if usual in names else 0,
        format_func=lambda name: RECOVERIES[name].title,
        help="  \n".join(f"**{RECOVERIES[name].title}**: {RECOVERIES[name].explanation}" for name in names),
        key=kept(key_of(method, "recovery"), names),
        width=230,
        persist_state="session",
    )
