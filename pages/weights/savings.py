"""What the zeros of a finished run save: in theory, on disk, and in time."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from explorer.export.layout import SPARSE
from explorer.methods.tools.sparse_account import NO_SPEED
from explorer.plain import plain
from explorer.runs.history.comparison import row
from explorer.runs.history.finished import read_finished
from explorer.runs.history.single_weights import SparseRun, saved
from explorer.tasks import METRICS
from explorer.ui.parts import frame, say
from explorer.ui.text import words


def show(run: SparseRun) -> None:
    """The numbers beside each other, and what they don't mean: a zero is no faster on dense kernels."""
    st.subheader("What the zeros save", anchor=False)
    told = saved(run)
    times, measured = told["latency_ms"], told["semi_structured"]
    with st.grid(3, min_column_width=220):
        for label, value, note, about in _cells(told):
            frame.fact(label, value, note, about)
    untimed = "" if measured["measured"] else f" Sparse kernels were not timed: {measured['reason']}."
    say.caption(f"{words.sentence(NO_SPEED)} {_of_noise(times)}{untimed}")
    if measured["measured"]:
        st.markdown(_of_kernels(measured))
    _quality(run)


def _cells(told: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Label, value, note and explanation of every number; `told` as in `single_weights.saved`."""
    times = told["latency_ms"]
    return [
        ("Zeros", f"{told['sparsity']:.1%}", f"{told['zeros']:,} of {told['weights']:,} weights", ""),
        ("Structured", "100% of MACs", f"{words.count(told['macs'])}, none saved", "What a dense kernel computes."),
        (
            "In theory",
            f"{told['nonzero_macs'] / told['macs']:.1%} of MACs",
            "with a weight that isn't zero",
            "What hardware that skips every zero would compute: a count, not a time.",
        ),
        (
            "Packed file",
            words.size(told["compressed_bytes"]),
            f"{words.change(told['size_bytes'], told['compressed_bytes'])} of {words.size(told['size_bytes'])}",
            f"{SPARSE}: a bit for each weight, and those that aren't zero. In memory the network is as large as "
            f"before. Zipped, the dense file has {words.size(told['deflated_bytes'])}.",
        ),
        (
            "Latency, batch of 1",
            f"{times['pruned']:.2f} ms",
            f"{times['base']:.2f} ms before",
            "Median on dense kernels, measured with the zeros in place.",
        ),
    ]


def _of_noise(times: Mapping[str, float]) -> str:
    """What the dense medians before and after say: the same products were computed."""
    change = words.change(times["base"], times["pruned"])
    if change == words.change(1, 1):
        return "The two medians agree."
    return f"The two medians differ ({change}): that is noise of the measurement."


def _of_kernels(measured: Mapping[str, Any]) -> str:
    """What was measured with 2:4 kernels; `measured` as in `explorer.evaluation.nonzero.semi_structured`."""
    dense, sparse = (measured[kind][0] for kind in ("dense", "sparse"))
    layers = "1 linear layer" if len(measured["layers"]) == 1 else f"{len(measured['layers'])} linear layers"
    return (
        f"Measured on {plain(sparse['device'])} in half precision, batch of {sparse['batch']:d}: "
        f"**{sparse['median_ms']:.2f} ms** with 2:4 sparse kernels in {layers}, "
        f"{dense['median_ms']:.2f} ms with dense ones ({words.change(dense['median_ms'], sparse['median_ms'])})."
    )


def _quality(run: SparseRun) -> None:
    """The test metric of the run, where it was measured."""
    final = row(read_finished(run.folder))
    if final.value is not None:
        metric = METRICS[run.metric]
        change = metric.difference(final.change)
        say.caption(f"Test {metric.short} {metric.text(final.value)}, {change} against the base model.")
