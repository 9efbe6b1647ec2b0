"""A panel per group: the metric by the share of its units that leave."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from explorer.criteria import CRITERIA
from explorer.plain import named, plain
from explorer.tasks import METRICS, Task
from explorer.ui.charts import multiples
from explorer.ui.parts import frame, measured, say
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import findings, words
from pages.sensitivity.panels import panels


def show(workspace: Workspace, task: Task | None) -> None:
    """The measured curves, or the button that measures them."""
    curves = measured.curves_of(workspace)
    st.caption(
        f"Each group alone loses its lowest units by **{CRITERIA[workspace.criterion].title}**, nothing is recovered, "
        "all others stay whole. Effects of several groups need not add up."
    )
    if curves is None:
        measured.measure_curves(workspace, task)
        return
    _draw(curves, words.samples(task) if task else "samples")
    for name, reason in curves["skipped"].items():
        st.caption(f"{named(name)} is not measured: {plain(reason)}.")
    frame.onward("cut", "Next: share out a target by these curves")


def _draw(curves: Mapping[str, Any], samples: str) -> None:
    """A document of `explorer.methods.studies.sensitivity`; `samples` is what its samples are called."""
    metric, base = METRICS[curves["metric"]], curves["base"]
    table = pd.DataFrame(
        {"group": name, "ratio": point["ratio"], "removed": point["removed"], "value": point[metric.name]}
        for name, points in curves["groups"].items()
        for point in [{"ratio": 0.0, "removed": 0, metric.name: base}, *points]
    )
    what = f"Validation {metric.short} by the share of each group that leaves, a panel per group"
    panels(findings.of_sensitivity(table, base, metric), multiples.curves(table, base, metric), what)
    say.caption(
        f"Validation {metric.short} on {curves['samples']} {samples}, from none to "
        f"90% of a group's units. The dashed line is the whole network, {metric.text(base)}."
    )
