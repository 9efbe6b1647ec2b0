"""What the page of weights reads, kept as long as it stays as it was."""

import contextlib
from pathlib import Path

import streamlit as st

from explorer.export.layout import REPORT
from explorer.pruning.margins import Margins
from explorer.pruning.unstructured import prunable
from explorer.runs.folders import partial
from explorer.runs.history.single_weights import SparseRun, read_sparse
from explorer.runs.queue.job import BUNDLE
from explorer.ui import engine


def opened(folder: Path) -> SparseRun:
    """The run in a folder as it is now, see `explorer.runs.history.single_weights.read_sparse`.

    Raises:
        ExplorerError: see there.
    """
    return _opened(str(folder), _stamp(folder))


@st.cache_data(max_entries=8, show_spinner="Reading the run…")
def _opened(folder: str, stamp: str) -> SparseRun:
    return read_sparse(Path(folder))


def _stamp(folder: Path) -> str:
    """Changes with every finished step, and when the run has ended."""
    times = []
    for bundle in (folder, folder / BUNDLE):
        with contextlib.suppress(OSError):
            times.append((bundle / REPORT).stat().st_mtime_ns)
        times += sorted(path.name for path in partial(bundle).glob("*.safetensors"))
    return str(times)


def margins_of(ref: str) -> Margins:
    """The magnitudes of the weights of a model."""
    found, key = engine.opened(ref), ("margins", ref, engine.stamp_of(ref))
    return engine.waited("Sorting the weights…", key, lambda: Margins(prunable(found.model.module)))
