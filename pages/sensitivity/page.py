"""Sensitivity: what accuracy and what time depend on the width of each group alone."""

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from explorer.criteria import CRITERIA
from explorer.tasks import METRICS
from explorer.ui.charts import multiples
from explorer.ui.parts import frame, measured
from explorer.ui.state import session
from explorer.ui.text import findings, words

workspace = session.current()
VIEWS = ("Accuracy by what a group loses", "Time by a group's width")


def panels(finding: str, pictures: Sequence[alt.FacetChart], what: str) -> None:
    """Pictures side by side as far as there is room, below the sentence that says what they show."""
    st.markdown(f"**{finding}**")
    with st.grid(multiples.COLUMNS, min_column_width=multiples.WIDTH + 45):
        for picture in pictures:
            st.altair_chart(picture, alt=f"{what}. {finding}.")


def accuracy() -> None:
    """A panel per group: the metric by the share of its units that leave."""
    found = measured.curves_of(workspace)
    st.caption(
        f"Each group alone loses its lowest units by **{CRITERIA[workspace.criterion].title}**, nothing is recovered, "
        "all others stay whole. Effects of several groups need not add up."
    )
    if found is None:
        measured.measure_curves(workspace, task)
        return
    metric, base = METRICS[found["metric"]], found["base"]
    rows = [
        {"group": name, "ratio": point["ratio"], "removed": point["removed"], "value": point[metric.name]}
        for name, points in found["groups"].items()
        for point in [{"ratio": 0.0, "removed": 0, metric.name: base}, *points]
    ]
    table = pd.DataFrame(rows)
    what = f"Validation {metric.short} by the share of each group that leaves, a panel per group"
    panels(findings.of_sensitivity(table, base, metric), multiples.curves(table, base, metric), what)
    st.caption(
        f"Validation {metric.short} on {found['samples']} {words.samples(task) if task else 'samples'}, from none to "
        f"90% of a group's units. The dashed line is the whole network, {metric.text(base)}."
    )
    for name, reason in found["skipped"].items():
        st.caption(f"`{name}` is not measured: {reason}.")
    frame.onward("budget", "Next: share out a target by these curves")


def time() -> None:
    """A panel per group: milliseconds of the whole network by the group's width."""
    found = measured.staircases_of(workspace)
    st.caption("The whole network is timed with one group cut to several widths, the others whole, on this device.")
    measured.times(workspace, found)
    if found is None:
        return
    points = [{"group": name, **point} for name, each in found["groups"].items() for point in each["points"]]
    at = {(row["group"], row["width"]): row["ms"] for row in points}
    cliffs = [
        {"group": name, "to": cliff["to"], "ms": at[name, cliff["to"]], "change": cliff["ms"], "why": cliff["why"]}
        for name, each in found["groups"].items()
        for cliff in each["cliffs"]
    ]
    marked = pd.DataFrame(cliffs, columns=["group", "to", "ms", "change", "why"])
    drawing = multiples.staircases(pd.DataFrame(points), marked, found["base_ms"])
    panels(findings.of_staircases(found), drawing, "Latency by width, a panel per group")
    st.caption(
        "Milliseconds of one batch by the channels of a group. The dashed line is the whole network, "
        f"{found['base_ms']:.3g} ms on {found['device']}. Diamonds mark cliffs, where fewer channels are slower or the "
        "time falls at once."
    )
    if found["error"] is not None:
        st.caption(
            f"Predictions of whole plans from this table are off by {found['error']:.1%} in the middle, on "
            f"{len(found['checks'])} plans that were really cut and timed."
        )


frame.heading("Sensitivity", "What each group alone does to accuracy and to time.", workspace)
model = frame.model_or_stop(workspace)
task = frame.task_or_word(workspace, model)
if not model.structure.groups:
    st.info("This network has no channels that can be cut; the Model page says why.", icon=":material/lock:")
    st.stop()
view = st.segmented_control(
    "What to look at",
    VIEWS,
    default=VIEWS[0],
    required=True,
    key="sensitivity view",
    persist_state="session",
    label_visibility="collapsed",
)
(accuracy if view == VIEWS[0] else time)()
