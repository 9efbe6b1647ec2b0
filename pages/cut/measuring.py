"""What the rows can show besides scores, in a drawer: offered where it is not measured, and where to see it large."""

import streamlit as st

from explorer.ui.parts import frame, measured
from pages.cut.view import View

DRAWER = "measuring"  # whether it is open


def show(view: View) -> None:
    """Sensitivity and latency with their progress; opened by hand, or by a row's colours that need them."""
    with st.expander("Measure: loss when cut, latency", icon=":material/speed:", key=DRAWER, on_change="rerun"):
        if view.curves is None:
            measured.measure_curves(view.workspace, view.task)
        measured.times(view.workspace, view.latency)
        if view.curves or view.latency:
            frame.onward("sensitivity", "The small charts of the rows, large")


def open_for(_what: str) -> None:
    """Opens the drawer, for a callback."""
    st.session_state[DRAWER] = True
