"""Take: take the pruned network along, with the proof that it computes the same."""

from pathlib import Path

import streamlit as st

from explorer.plain import plain
from explorer.tasks import metric_of
from explorer.ui.navigation import path_to
from explorer.ui.parts import frame, jobs, say
from explorer.ui.state import session
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import tables, words
from pages.take import bundles


def downloads(workspace: Workspace, bundle: Path, data: str) -> None:
    """Every file of the bundle, all of them as one, and the pruned network in this workspace, on its `data`."""
    files = bundles.files(bundle)
    with st.grid(3, min_column_width=260):
        for entry in [entry for entry in bundles.offered() if entry.file in files]:
            with st.container(border=True, height="stretch"):
                st.download_button(
                    f"{plain(entry.file)} · {words.size(files[entry.file].stat().st_size)}",
                    files[entry.file].read_bytes,
                    file_name=entry.file,
                    mime="application/octet-stream",
                    on_click="ignore",
                    icon=entry.icon,
                    key=f"download {entry.file}",
                    width="stretch",
                )
                say.caption(words.sentence(entry.explanation))
    with st.container(horizontal=True):
        st.download_button(
            "Everything as one zip",
            lambda: bundles.zipped(bundle),
            file_name=f"{bundle.parent.name}.zip",
            mime="application/zip",
            on_click="ignore",
            type="primary",
            icon=":material/folder_zip:",
        )
        if st.button("Open the pruned network here", icon=":material/schema:", help="To look at it, or to cut further"):
            workspace.choose(f"run:{bundle}", data)
            st.switch_page(path_to("look"))


def checks(result: dict) -> None:
    """The comparisons that were made before the bundle was kept."""
    st.subheader("Checked before you download", anchor=False)
    for what, found in bundles.checks(result):
        st.markdown(f":green[:material/check_circle:] **{plain(what)}**: {plain(found)}")
    st.caption("A bundle that fails one of these is not kept.")


def how_to_load(result: dict, bundle: Path) -> None:
    """Code for every file that can be loaded, a tab each."""
    st.subheader("How to load it", anchor=False)
    examples = bundles.examples(result, bundles.files(bundle))
    if not examples:
        st.caption("None of the files that can be loaded is there any more.")
        return
    for tab, code in zip(st.tabs([plain(title) for title in examples]), examples.values(), strict=True):
        tab.code(code, language="python")


workspace = session.current()
stages = frame.step("Take", "The smaller network as files that others can use.", workspace)
job = jobs.find(workspace, jobs.PRUNE)
if job is None or job.state != "done":
    st.info("There is no pruned network yet. Prune one, and its files appear here.", icon=":material/content_cut:")
    st.page_link(path_to("recover"), label="Go to Recover", icon=":material/arrow_forward:")
    st.stop()
spec, result, bundle = job.request["spec"], job.result, job.bundle
base, pruned = result["base"], result["pruned"]
st.markdown(
    f"**{plain(spec['model'])}**, cut to {pruned['macs'] / base['macs']:.1%} of its MACs and "
    f"{pruned['params'] / base['params']:.1%} of its parameters. {plain(metric_of(base).label)} on test data: "
    f"{plain(tables.quality(pruned))}, before {plain(tables.quality(base))}."
)
if not bundles.files(bundle):
    st.warning("The run's files are gone: its folder was moved or deleted.", icon=":material/folder_off:")
    st.stop()
downloads(workspace, bundle, spec["data"])
checks(result)
how_to_load(result, bundle)
