"""The files of a run as cards, all of them as one archive, and the network opened here."""

import streamlit as st

from explorer.plain import plain
from explorer.runs.queue.job import Job
from explorer.ui.navigation import path_to
from explorer.ui.parts import opening, say
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words
from pages.take import bundles


def show(workspace: Workspace, run: Job) -> None:
    """Stops the page where the files are gone."""
    there = bundles.files(run.bundle)
    if not there:
        st.warning("The run's files are gone: its folder was moved or deleted.", icon=":material/folder_off:")
        st.stop()
    with st.container(horizontal=True):
        st.download_button(
            "Everything as one zip",
            lambda: bundles.zipped(run.bundle),
            file_name=f"{run.bundle.parent.name}.zip",
            mime="application/zip",
            on_click="ignore",
            type="primary",
            icon=":material/folder_zip:",
        )
        if st.button("Open the pruned network here", icon=":material/schema:", help="To look at it, or to cut further"):
            opening.ask(f"run:{run.bundle}", run.request["spec"]["data"])
            st.switch_page(path_to("look"))
    with st.grid(3, min_column_width=260):
        for entry in [entry for entry in bundles.offered() if entry.file in there]:
            with st.container(border=True, height="stretch", gap="xsmall"):
                st.markdown(f"**{plain(entry.title)}** · {words.size(there[entry.file].stat().st_size)}")
                say.caption(words.sentence(entry.explanation))
                st.space("stretch")
                st.download_button(
                    plain(entry.file),
                    there[entry.file].read_bytes,
                    file_name=entry.file,
                    mime="application/octet-stream",
                    on_click="ignore",
                    icon=entry.icon,
                    key=f"download {entry.file} of {run.id}",
                    width="stretch",
                )
