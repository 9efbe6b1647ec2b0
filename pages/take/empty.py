"""What the Take page shows before there is anything to take."""

import streamlit as st

from explorer.plain import plain
from explorer.ui.navigation import path_to
from explorer.ui.parts import jobs, say
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words
from pages.take import bundles


def show(workspace: Workspace) -> None:
    """A sentence, the way to a run, and the files that will be here."""
    going = any(not job.final for job in jobs.of_runs(workspace))
    if going:
        st.info("Your run is under way: its files appear here when it has ended.", icon=":material/hourglass_top:")
    else:
        st.info("There is no pruned network yet. Prune one, and its files appear here.", icon=":material/content_cut:")
    if st.button("Go to Recover", icon=":material/arrow_forward:", type="primary"):
        st.switch_page(path_to("recover"))
    st.caption(
        "The network as it is can't be taken yet: files are written and checked at the end of a run, and only of what "
        "the run made."
    )
    with st.grid(3, min_column_width=260):
        for entry in bundles.offered():
            with st.container(border=True, height="stretch", gap="xsmall"):
                st.markdown(f"**{plain(entry.title)}**")
                say.caption(words.sentence(entry.explanation))
                st.space("stretch")
                st.button(plain(entry.file), disabled=True, icon=entry.icon, key=f"later {entry.file}", width="stretch")
