"""Runs: runs beside each other and beside simple baselines, and where the next one could begin."""

import streamlit as st

from explorer.runs.history.comparison import compare
from explorer.ui.navigation import path_to
from explorer.ui.parts import compared, frame
from explorer.ui.state import session
from pages.runs import damaged, numbers, onward, plans, tradeoff, worth

AT_FIRST = 3

workspace = session.current()
frame.heading("Runs", "Finished runs side by side: what each of them kept, and what that cost.", workspace)
shown, forest = compared.finished(workspace)
damaged.show(workspace)
if not shown:
    st.info(
        "Nothing to compare yet. Every finished run of the Recover page appears here, with its curve between cost and "
        "accuracy, its widths, and simple baselines that tell whether it was worth it.",
        icon=":material/compare_arrows:",
    )
    st.page_link(path_to("recover"), label="Go to Recover", icon=":material/arrow_forward:")
    st.stop()
own = [entry for entry in shown if entry.baseline_of is None]
picked = st.multiselect("Runs", [entry.name for entry in own], [entry.name for entry in own[:AT_FIRST]], key="compared")
chosen = [entry for entry in shown if (entry.baseline_of or entry.name) in picked]
if chosen:
    tradeoff.show(chosen)
    worth.show(workspace, [entry for entry in chosen if entry.baseline_of is None], shown)
    st.dataframe(numbers.table(chosen), hide_index=True, width="stretch")
    comparison = compare([entry.run for entry in chosen])
    numbers.downloads(chosen, comparison.to_json())
    plans.show(chosen, comparison)
else:
    st.caption("Choose one run or several.")
onward.family(forest, shown, chosen)
onward.go_on(workspace, own)
