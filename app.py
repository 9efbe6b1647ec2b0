"""Pruning Explorer: `streamlit run app.py`."""

from pathlib import Path

import streamlit as st

from explorer.ui import session, sharing

ICON = Path(__file__).parent / "assets" / "icon.svg"
# Their folder has another name than pages: Streamlit would know those in such a one without this script, and run them
# so, or miss them, when a link to a page is the server's first request.
PAGES = (
    st.Page("app_pages/model.py", title="Model", icon=":material/schema:", url_path="network", default=True),
    st.Page("app_pages/flow.py", title="Flow", icon=":material/gradient:", url_path="channel-flow"),
    st.Page("app_pages/criteria.py", title="Criteria", icon=":material/balance:", url_path="compare-criteria"),
    st.Page("app_pages/budget.py", title="Budget", icon=":material/tune:", url_path="channel-budget"),
    st.Page("app_pages/sensitivity.py", title="Sensitivity", icon=":material/monitoring:", url_path="group-curves"),
    st.Page("app_pages/prune.py", title="Prune", icon=":material/content_cut:", url_path="prune-run"),
    st.Page("app_pages/weights.py", title="Weights", icon=":material/grid_on:", url_path="single-weights"),
    st.Page("app_pages/compare.py", title="Compare", icon=":material/compare_arrows:", url_path="compare-runs"),
    st.Page("app_pages/scoreboard.py", title="Scoreboard", icon=":material/leaderboard:", url_path="method-scores"),
    st.Page("app_pages/export.py", title="Export", icon=":material/download:", url_path="export-bundle"),
)

st.set_page_config(page_title="Pruning Explorer", page_icon=str(ICON), layout="wide")
session.open_workspace()
sharing.open_link()
st.navigation(PAGES, position="top").run()
