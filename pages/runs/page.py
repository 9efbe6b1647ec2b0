"""Runs: all runs in a table, one of them to go on from, several beside each other and beside simple baselines."""

import streamlit as st

from explorer.ui.parts import compared, frame
from explorer.ui.state import session
from pages.runs import damaged, empty, facet, single, table, tree, under_way, worth

AT_FIRST = 8  # runs in the picture before any is chosen

workspace = session.current()
frame.heading("Runs", "What each run kept, what that cost, and whether the difference is real.", workspace)
everyone = table.whose(workspace)
shown, forest = compared.finished(workspace, everyone=everyone)
others = compared.unfinished(workspace, everyone=everyone)
damaged.show(workspace)
under_way.show(workspace)
if not shown and not others:
    empty.show()
    st.stop()
picked = table.show(shown, others, everyone=everyone)
chosen = [entry for entry in shown if entry.record.id in picked]
if len(picked) == 1:
    single.show(workspace, picked[0], shown, others)
if not shown:
    st.stop()
drawn = compared.with_baselines(chosen, shown) or facet.newest(shown, AT_FIRST)
for found, entries in compared.by_facet(drawn):
    facet.show(found, entries, shown, chosen)
worth.show(workspace, [entry for entry in chosen or drawn if entry.own and entry.baseline_of is None], shown)
if len(shown) > 1:
    tree.show(forest, shown)
