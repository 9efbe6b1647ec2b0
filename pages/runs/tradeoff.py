"""The picture of what runs cost and what they reach."""

from collections.abc import Sequence

import streamlit as st

from explorer.runs.history.comparison import row
from explorer.tasks import metric_of
from explorer.ui.charts.axes import COSTS
from explorer.ui.charts.comparison import tradeoff
from explorer.ui.parts import compared, frame, say
from explorer.ui.parts.compared import Shown
from explorer.ui.text import findings


def show(chosen: Sequence[Shown]) -> None:
    """Cost kept against the metric: ends on test data, trajectories on validation data."""
    same, others = compared.of_one_metric(chosen)
    if compared.frames(same)[0].empty:
        st.caption("None of these runs was judged on data with labels, so there is no accuracy to draw.")
        return
    cut = compared.cutting(same)
    kind = _choose_cost(any_cut=bool(cut), any_zeros=len(cut) < len(same))
    drawn = same if kind == "nonzero" else cut
    finals, trajectories = compared.frames(drawn)
    metric = metric_of(same[0].run.result["base"])
    drawing = tradeoff(finals, trajectories, metric, compared.colours_of(chosen), kind=kind)
    rows = [row(entry.run) for entry in drawn if entry.baseline_of is None]
    finding = findings.of_zeros(rows, metric) if kind == "nonzero" else findings.of_tradeoff(rows, metric)
    frame.chart(finding, drawing, "Cost kept against the metric of every run")
    _explain_zeros(kind, len(same) - len(cut))
    _explain_measures(gradual=len(trajectories) > 0)
    if others:
        say.caption(f"Judged by another metric and not in the picture: {', '.join(entry.name for entry in others)}.")


def _choose_cost(*, any_cut: bool, any_zeros: bool) -> str:
    """Asks for the cost of the picture: zeros are told where there are some, MACs where channels were cut."""
    kinds = [kind for kind in COSTS if (any_zeros if kind == "nonzero" else any_cut)]
    return st.segmented_control(
        "Cost", kinds, default=kinds[0], format_func=COSTS.get, key=f"cost {kinds}", required=True
    )


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
            "Filled points are measured on **test** data, bars are their 95% intervals. Dashed ways are the steps of "
            "gradual runs, judged on **validation** data that also decided about them: compare them with each other "
            "only."
        )
    else:
        st.caption(
            "Measured on **test** data; bars are 95% intervals. Where they overlap, runs are hard to tell apart."
        )
