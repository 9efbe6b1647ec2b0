"""The picture of what runs cost and what they reach."""

from collections.abc import Sequence

import streamlit as st

from explorer.runs.history.comparison import row
from explorer.runs.history.facets import frontier
from explorer.tasks import metric_of
from explorer.ui.charts.axes import COSTS
from explorer.ui.charts.comparison import tradeoff
from explorer.ui.parts import compared, frame
from explorer.ui.parts.compared import Shown
from explorer.ui.text import findings


def show(drawn: Sequence[Shown], around: Sequence[Shown]) -> None:
    """Cost kept against the metric: ends on test data, trajectories on validation data, and the frontier.

    Args:
        drawn: runs of one facet, in their colours.
        around: all runs of the facet: the others stand there in grey, and the frontier is of all.
    """
    if compared.frames(drawn)[0].empty:
        st.caption("None of these runs was judged on data with labels, so there is no accuracy to draw.")
        return
    cut = compared.cutting(drawn)
    kind = _choose_cost(any_cut=bool(cut), any_zeros=len(cut) < len(drawn), place=drawn[0].run.network)
    looked_at = drawn if kind == "nonzero" else cut
    others = [entry for entry in around if entry not in drawn and (kind == "nonzero" or not entry.run.sparse)]
    finals, trajectories = compared.frames(looked_at)
    metric = metric_of(drawn[0].run.result["base"])
    every = compared.frames([*looked_at, *others])[0].set_index("run")
    best = every.loc[frontier([entry.run for entry in (*looked_at, *others)], kind)].reset_index()
    grey = compared.frames(others)[0]
    drawing = tradeoff(
        finals,
        trajectories,
        metric,
        compared.colours_of(looked_at),
        kind=kind,
        others=grey[grey.run != compared.BASE] if len(grey) else grey,
        frontier=best,
    )
    rows = [row(entry.run) for entry in looked_at if entry.baseline_of is None]
    finding = findings.of_zeros(rows, metric) if kind == "nonzero" else findings.of_tradeoff(rows, metric)
    frame.chart(finding, drawing, "Cost kept against the metric of every run")
    _explain_zeros(kind, len(drawn) - len(cut))
    _explain_measures(gradual=len(trajectories) > 0)


def _choose_cost(*, any_cut: bool, any_zeros: bool, place: str) -> str:
    """Asks for the cost of the picture: zeros are told where there are some, MACs where channels were cut."""
    kinds = [kind for kind in COSTS if (any_zeros if kind == "nonzero" else any_cut)]
    return st.radio("Cost", kinds, format_func=COSTS.get, key=f"cost {kinds} {place}", horizontal=True)


def _explain_zeros(kind: str, sparse: int) -> None:
    """What the `sparse` runs that set single weights to zero save, where there are any."""
    if kind == "nonzero":
        st.caption(
            "A zero is no smaller computation: runs that set single weights to zero keep **all** MACs and are as fast "
            "as before on dense kernels. Their files are smaller when packed. Where channels were cut, the parameters "
            "left are those of a network that really is smaller."
        )
    elif sparse:
        st.caption(
            f"{sparse:d} of these runs set single weights to zero and cut nothing: structured, they keep "
            "100% of MACs and parameters. They stand under *Non-zero parameters*."
        )


def _explain_measures(*, gradual: bool) -> None:
    """On which data the points are measured; steps of gradual runs are judged on other data than ends."""
    if gradual:
        st.caption(
            "Filled points are measured on **test** data, bars are 95% intervals; no run beats those on the grey line, "
            "the frontier. Dashed ways are steps of gradual runs, judged on **validation** data."
        )
    else:
        st.caption(
            "Measured on **test** data; bars are 95% intervals. No run beats those on the grey line, the frontier."
        )
