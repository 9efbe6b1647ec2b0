"""The network drawn: a sample goes in, an answer comes out, and between them are the groups of channels."""

import numpy as np
import pandas as pd
import streamlit as st

from explorer.tasks import Answered, Task
from explorer.ui.charts.network import network
from explorer.ui.parts import answers, frame, say
from explorer.ui.text import findings, words


def show(table: pd.DataFrame, task: Task | None, sample: Answered | None) -> None:
    """All groups as bars in the order of the network, as tall as they have channels; the sample beside them.

    Args:
        table: as in `explorer.ui.text.tables.groups`.
    """
    if table.empty:
        return
    if task is None or sample is None:
        _bars(table)
        return
    before, middle, after = st.columns([1, 8, 1], gap="small", vertical_alignment="center")
    with before:
        st.caption("In")
        if isinstance(sample.shown, np.ndarray):
            answers.picture(task, sample, 84)
        else:
            say.caption(f"“{words.middle(sample.shown, 60)}”")
    with middle:
        _bars(table)
    with after:
        st.caption("Out")
        say.caption(answers.told(sample))


def _bars(table: pd.DataFrame) -> None:
    frame.chart(findings.of_network(table), network(table), "The network as a row of bars, as tall as channels")
