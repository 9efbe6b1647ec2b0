"""A panel per group: milliseconds of the whole network by the group's width."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from explorer.ui.charts import multiples
from explorer.ui.parts import measured, say
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import findings
from pages.sensitivity.panels import panels


def show(workspace: Workspace) -> None:
    """The measured times, or the button that measures them."""
    profile = measured.staircases_of(workspace)
    st.caption("The whole network is timed with one group cut to several widths, the others whole, on this device.")
    measured.times(workspace, profile)
    if profile is not None:
        _draw(profile)


def _draw(profile: Mapping[str, Any]) -> None:
    """A document of `explorer.methods.studies.latency_profile`."""
    points = [{"group": name, **point} for name, group in profile["groups"].items() for point in group["points"]]
    drawing = multiples.staircases(pd.DataFrame(points), _cliffs(profile), profile["base_ms"])
    panels(findings.of_staircases(profile), drawing, "Latency by width, a panel per group")
    say.caption(
        "Milliseconds of one batch by the channels of a group. The dashed line is the whole network, "
        f"{profile['base_ms']:.3g} ms on {profile['device']}. Diamonds mark cliffs, where fewer channels are slower or "
        "the time falls at once."
    )
    if profile["error"] is not None:
        st.caption(
            f"Predictions of whole plans from this table are off by {profile['error']:.1%} in the middle, on "
            f"{len(profile['checks'])} plans that were really cut and timed."
        )


def _cliffs(profile: Mapping[str, Any]) -> pd.DataFrame:
    """Where fewer channels are slower or the time falls at once, as `multiples.staircases` takes them."""
    rows = []
    for name, group in profile["groups"].items():
        at = {point["width"]: point["ms"] for point in group["points"]}
        rows += [
            {"group": name, "to": cliff["to"], "ms": at[cliff["to"]], "change": cliff["ms"], "why": cliff["why"]}
            for cliff in group["cliffs"]
        ]
    return pd.DataFrame(rows, columns=["group", "to", "ms", "change", "why"])
