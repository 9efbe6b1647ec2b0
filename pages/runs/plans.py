"""What the plans of runs leave and remove: the widths of all, and the units of two."""

from collections.abc import Mapping, Sequence

import streamlit as st

from explorer.runs.history.comparison import Comparison
from explorer.runs.history.overlap import difference
from explorer.ui.charts.comparison import shared_units, widths
from explorer.ui.navigation import path_to
from explorer.ui.parts import compared, frame
from explorer.ui.parts.compared import Shown
from explorer.ui.text import findings


def show(chosen: Sequence[Shown], comparison: Comparison, place: str) -> None:
    """Widths of all chosen runs that cut channels, and the units of two of them.

    Args:
        chosen: runs of one facet.
        comparison: of them.
        place: tells the controls of several facets apart.
    """
    cut = compared.cutting(chosen)
    if len(cut) < len(chosen):
        st.caption("Runs that set single weights to zero leave all widths as they were: the Weights page shows them.")
        st.page_link(path_to("weights"), label="Go to weights", icon=":material/grid_on:")
    if not cut:
        return
    colours = compared.colours_of(cut)
    partners = _partners(cut)
    if not partners:
        _widths(cut, comparison, colours)
        return
    left, right = st.columns(2, gap="medium")
    with left:
        _widths(cut, comparison, colours)
    with right:
        _units(cut, partners, colours, place)


def _partners(cut: Sequence[Shown]) -> dict[str, list[str]]:
    """The runs that have another one of the same model, with the names of those; baselines come last."""
    plain_first = sorted(cut, key=lambda entry: entry.baseline_of is not None)
    found = {
        entry.name: [other.name for other in plain_first if other is not entry and _of_one_model(entry, other)]
        for entry in plain_first
    }
    return {name: others for name, others in found.items() if others}


def _widths(cut: Sequence[Shown], comparison: Comparison, colours: Mapping[str, str]) -> None:
    st.subheader("Widths", anchor=False)
    own = {entry.name for entry in cut if entry.baseline_of is None}
    table = compared.widths_frame(comparison.groups)
    table = table[table.run.isin(own)]
    frame.chart(findings.of_spread(table), widths(table, colours), "Channels left of every group, by run")


def _units(cut: Sequence[Shown], partners: Mapping[str, Sequence[str]], colours: Mapping[str, str], place: str) -> None:
    """Which units two plans for one model remove."""
    st.subheader("Channels", anchor=False)
    first = st.selectbox("One plan", list(partners), key=f"first plan {place}")
    second = st.selectbox("Another plan", partners[first], key=f"second plan {place}")
    units = difference(compared.named(cut, first).run, compared.named(cut, second).run)
    if not units.groups:
        st.caption("Neither plan removes a channel.")
        return
    drawing = shared_units(*compared.units_frame(units, colours))
    frame.chart(findings.of_overlap(units), drawing, "Units that both plans or one of them remove, by group")


def _of_one_model(one: Shown, other: Shown) -> bool:
    return one.run.plan.base == other.run.plan.base
