"""The final numbers of runs as a table and as files."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from explorer.recovery import RECOVERIES
from explorer.runs.history.comparison import Comparison, Row
from explorer.strict_json import dumps
from explorer.tasks import METRICS
from explorer.ui.parts.compared import Shown
from explorer.ui.text import words


def show(chosen: Sequence[Shown], comparison: Comparison) -> None:
    """The final numbers of runs of one facet, and ways to take them along."""
    rows = {found.run: found for found in comparison.runs}
    st.dataframe(table(chosen, rows), hide_index=True, width="stretch", alt="The final numbers of the chosen runs")
    if any(found.latency_ratio is None for found in rows.values()):
        st.caption("A dash under time: the run was made before bases were timed beside runs.")
    if any(found.disturbed and found.latency_ratio is not None for found in rows.values()):
        st.caption("Busy machine: others had the processors while the run was timed, so its latency is too long.")
    downloads(chosen, comparison.to_json())


def table(chosen: Sequence[Shown], rows: Mapping[str, Row]) -> pd.DataFrame:
    """The final numbers, as text; `rows` by the names of the runs."""
    lines = []
    for entry in chosen:
        final = rows[entry.name]
        metric = METRICS[final.metric]
        measured = final.value is not None
        lines.append(
            {
                "Run": entry.name,
                "What": entry.what,
                "MACs kept": f"{entry.origin['macs'] * final.macs_kept:.1%}",
                "Parameters kept": f"{entry.origin['params'] * final.params_kept:.1%}",
                **(_zeros(final) if any(other.run.sparse for other in chosen) else {}),
                "Test metric": f"{metric.short} {metric.text(final.value)}" if measured else "not measured",
                "95% interval": metric.interval(final.low, final.high) if final.low is not None else "–",
                "Against its base": metric.difference(final.change) if final.change is not None else "–",
                "Same samples": _paired(final),
                "Time of its base": _ratio(final),
                "Size": words.size(final.size_bytes),
                "Took": words.duration(final.seconds),
                "Recovery": RECOVERIES[final.recover].title if final.recover in RECOVERIES else final.recover,
                "Seed": final.seed,
            }
        )
    return pd.DataFrame(lines)


def _paired(final: Row) -> str:
    """McNemar's test in a few words."""
    if final.lost is None:
        return "–"
    return f"{final.verdict}: {final.lost} lost, {final.gained} gained, p = {final.p_value:.2g}"


def _ratio(final: Row) -> str:
    """The only latency that means something beside others: against a base timed in the same minutes."""
    if final.latency_ratio is None:
        return "–"
    busy = ", busy machine" if final.disturbed else ""
    return f"{final.latency_ratio:.2f}× ({final.ratio_low:.2f}–{final.ratio_high:.2f}){busy}"


def _zeros(final: Row) -> dict[str, str]:
    """What single zeros come to, beside what was cut; nothing where channels were."""
    if final.sparsity is None:
        return {"Zeros": "none set", "Not zero": "–", "Packed": "–"}
    return {
        "Zeros": f"{final.sparsity:.1%} of weights",
        "Not zero": f"{words.count(final.nonzero_params)} parameters",
        "Packed": words.size(final.compressed_bytes),
    }


def downloads(chosen: Sequence[Shown], document: Mapping[str, Any]) -> None:
    """The comparison as files, and as a command."""
    with st.container(horizontal=True):
        st.download_button(
            "Numbers as CSV",
            pd.DataFrame(document["runs"]).map(_cell).to_csv(index=False),
            "comparison.csv",
            "text/csv",
            on_click="ignore",
            icon=":material/download:",
            key=f"csv {document['facets'][0]}",
        )
        st.download_button(
            "Everything as JSON",
            dumps(document, indent=1),
            "comparison.json",
            "application/json",
            on_click="ignore",
            icon=":material/download:",
            key=f"json {document['facets'][0]}",
        )
        with st.popover("The same on the command line", icon=":material/terminal:"):
            folders = shlex.join(str(entry.record.folder) for entry in chosen)
            st.code(f"python -m explorer runs compare {folders} --json", language=None, wrap_lines=True)


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would compute gets the apostrophe that makes it text."""
    return f"'{value}" if isinstance(value, str) and value.lstrip().startswith(("=", "+", "-", "@")) else value
