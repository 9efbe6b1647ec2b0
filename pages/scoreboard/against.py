"""Ours against torch-pruning on the bundled tasks, as `bench rivals` has measured it."""

from pathlib import Path

import pandas as pd
import streamlit as st

from explorer.bench.rivals import HEADS, Grid, Line, cells, kept_lines, said, stage_of
from explorer.errors import ExplorerError
from explorer.tasks import METRICS
from explorer.ui.parts import frame, say
from explorer.ui.state.forms import kept
from pages.scoreboard import scores


def show(file: Path) -> None:
    """The comparison whose lines a file holds; how to make it, where there is none."""
    st.subheader("Against torch-pruning", anchor=False)
    try:
        command, lines = _lines(str(file), file.stat().st_mtime) if file.exists() else (Grid().command(), [])
        told = pd.DataFrame(map(cells, lines), columns=list(HEADS))
    except ExplorerError as error:
        st.error("The comparison's file can't be read.", icon=":material/error:")
        st.text(str(error))
        return
    if not lines:
        st.info(
            "This comparison is not in this copy of the project. Make it with this command:", icon=":material/timer:"
        )
        st.code(command, language=None, wrap_lines=True)
        return
    models = list(dict.fromkeys(line["model"] for line in lines))
    model = st.selectbox("Network", models, key=kept("rivals model", models), persist_state="session")
    _draw([line for line in lines if line["model"] == model])
    say.caption(f"{said(lines)} The counts are over all networks.")
    st.dataframe(told, hide_index=True)
    st.caption(
        "Both sides have the same networks, calibration images, test images, trainer and MACs. The rival of a row is "
        "the way of torch-pruning's that came out best there. The difference is paired by image and seed. "
        "Made with this command:"
    )
    st.code(command, language=None, wrap_lines=True)


def _draw(lines: list[Line]) -> None:
    metric = METRICS[lines[0]["metric"]]
    table = pd.DataFrame(lines).assign(place=[stage_of(line) for line in lines])
    drawing = scores.against(table, metric)
    frame.chart(said(lines), drawing, f"Test {metric.short} of ours and of the best rival at every stage")


@st.cache_data(max_entries=4, show_spinner=False)
def _lines(file: str, stamp: float) -> tuple[str, list[Line]]:
    """The command that made the lines, and those about the test images."""
    found = kept_lines(Path(file))
    return found["command"], [line for line in found["lines"] if line["split"] == "test"]
