"""The tree of runs: which started from which, and at which point."""

from collections.abc import Sequence

import streamlit as st

from explorer.runs.history.lineage import Branch
from explorer.ui.charts import comparison
from explorer.ui.parts import compared, frame
from explorer.ui.parts.compared import Shown
from pages.runs import single, table


def show(forest: Sequence[Branch], shown: Sequence[Shown]) -> None:
    """The tree; a click on a point chooses its run, to go on from there. Nothing where no run branched off another."""
    nodes, ties = compared.tree_frames(forest, shown)
    if ties.empty:
        return
    st.subheader("Which run began with which", anchor=False)
    ids = {entry.name: entry.record.id for entry in shown}
    frame.chart(
        f"{len(ties)} of {nodes.run.nunique()} runs branched off another",
        comparison.family(nodes, ties, compared.colours_of(shown)),
        "The runs as a tree",
        key="tree",
        on_select=lambda: _look(ids),
    )
    st.caption("A row each, from right to left as the network shrinks. Click a point to go on from it.")


def _look(ids: dict[str, str]) -> None:
    picked = st.session_state["tree"].get("selection", {}).get("pick", [])
    if picked:
        step = int(picked[0]["step"])
        table.choose([ids[picked[0]["run"]]])
        st.session_state[single.STEP] = single.END if step < 0 else step
