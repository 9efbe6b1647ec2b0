"""The runs of one network on one data set, side by side; runs of others are never on its axes."""

from collections.abc import Sequence

import streamlit as st

from explorer.plain import plain
from explorer.runs.history.comparison import compare
from explorer.runs.history.facets import Facet, facet_of
from explorer.ui.parts.compared import Shown
from pages.runs import numbers, plans, tradeoff


def show(facet: Facet, entries: Sequence[Shown], shown: Sequence[Shown], chosen: Sequence[Shown]) -> None:
    """The picture of cost and metric with the frontier; of runs that were chosen their numbers and widths, too.

    Args:
        facet: of the runs.
        entries: its runs that are looked at.
        shown: all runs, of which those of the facet stand in the picture.
        chosen: the runs that a person has chosen.
    """
    st.subheader(plain(f"{facet.network} on {facet.data}"), anchor=False)
    around = [entry for entry in shown if facet_of(entry.run) == facet_of(entries[0].run)]
    tradeoff.show(entries, around)
    if any(entry in chosen for entry in entries):
        comparison = compare([entry.run for entry in entries])
        numbers.show(entries, comparison)
        plans.show(entries, comparison, f"{facet.network} {facet.data} {facet.metric}")


def newest(shown: Sequence[Shown], most: int) -> list[Shown]:
    """The latest runs of the facet of the newest one."""
    return [entry for entry in shown if facet_of(entry.run) == facet_of(shown[0].run)][:most]
