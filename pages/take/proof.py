"""What was compared before a run's files were kept, how to load them, and the command that makes them."""

import shlex

import pandas as pd
import streamlit as st

from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.plain import plain
from explorer.runs.queue.job import Job
from explorer.ui.text.commandline import command
from pages.take import bundles


def show(run: Job) -> None:
    _checks(run)
    _how_to_load(run)
    _commands(run)


def _checks(run: Job) -> None:
    """The comparisons; a bundle that failed one would not be there."""
    st.subheader("Checked before you download", anchor=False)
    found = bundles.checks(run.result)
    if not found:
        st.caption("This run is of a version that kept no record of its checks.")
        return
    names, words = zip(*found, strict=True)
    st.table(pd.DataFrame({"Found": words}, index=[plain(name) for name in names]).map(plain))
    st.caption("A bundle that fails one of these is not kept.")


def _how_to_load(run: Job) -> None:
    """Code for the files that can be loaded, one at a time."""
    st.subheader("How to load it", anchor=False)
    examples = bundles.examples(run.result, bundles.files(run.bundle))
    if not examples:
        st.caption("None of the files that can be loaded is there any more.")
        return
    chosen = st.radio("File", list(examples), format_func=plain, horizontal=True, label_visibility="collapsed")
    st.code(examples[chosen], language=None)


def _commands(run: Job) -> None:
    """The run as a command, and the export of its network alone."""
    st.subheader("The same on the command line", anchor=False)
    export = ["python", "-m", "explorer", "export", "--model", f"run:{run.bundle}", "--out", "model.onnx"]
    lines = [shlex.join(export)]
    try:
        lines.insert(0, command(Spec.from_json(run.request["spec"])))
    except ExplorerError:
        st.caption("The run itself was asked for by another version, in words that this one does not know.")
    st.code("\n".join(lines), language=None, wrap_lines=True)
