"""What others have published, on other models and data than the scoreboard's."""

import pandas as pd
import streamlit as st

from explorer.bench.literature import CAVEATS, SOURCES, literature
from explorer.plain import named, plain
from explorer.ui.parts import frame
from explorer.ui.state.forms import kept
from pages.scoreboard import scores

PERCENT = ("top1", "top5", "accuracy")  # published metrics in percent
KINDS = {
    "params_removed_pct": "parameters removed (%)",
    "flops_removed_pct": "FLOPs removed (%)",
    "params_kept_pct": "parameters kept (%)",
    "params_m": "parameters left (million)",
    "gmacs": "MACs left (billion)",
    "sparsity_pct": "weights at zero (%)",
}
TUNED = {"yes": "fine-tuned", "no": "not fine-tuned", "unknown": "not stated"}


def show() -> None:
    """Published results for a model, data and way of pruning that a person chooses, and where they come from."""
    st.subheader("Published, not measured here", anchor=False)
    st.caption(
        "These numbers are other people's. None of them is about a model and data of the scoreboard above, so the two "
        "are not drawn into one picture: accuracies on different tasks can't be compared."
    )
    table, pair, metric, kind = _choose(_published())
    if table.empty:
        st.caption("No result fits this choice.")
    else:
        said = f"{len(table)} published results of {table.method.nunique()} methods for {pair}"
        drawing = scores.published(table, KINDS[kind], f"{metric} against the source's own base, points")
        frame.chart(said, drawing, f"Published change of {metric} by how much was pruned")
    with st.expander("Sources and what is known to be wrong in them", icon=":material/info:"):
        for name, what in SOURCES.items():
            st.markdown(f"- {named(name)}: {plain(what)}, {int((_published().source == name).sum())} rows")
        st.markdown("\n".join(f"- {caveat}" for caveat in CAVEATS))


@st.cache_data(max_entries=1, show_spinner=False)
def _published() -> pd.DataFrame:
    return pd.DataFrame(literature())


def _choose(table: pd.DataFrame) -> tuple[pd.DataFrame, str, str, str]:
    """The rows of one choice, and of it the model and data, the metric and the kind of pruning."""
    table = table[
        (table.method != "unpruned")
        & table.x_kind.isin(KINDS)
        & table.metric.isin(PERCENT)
        & table.x_value.notna()
        & table.delta.notna()
    ]
    pairs = (table.model + " on " + table.dataset).value_counts()
    one, two, three, four = st.columns([3, 2, 3, 3])
    pair = one.selectbox("Model and data", list(pairs.index), key=kept("published pair"), persist_state="session")
    table = table[table.model + " on " + table.dataset == pair]
    metric = two.selectbox("Metric", list(table.metric.unique()), key=f"published metric {pair}")
    table = table[table.metric == metric]
    kind = three.selectbox("Pruned", list(table.x_kind.unique()), format_func=KINDS.get, key=f"published kind {pair}")
    table = table[table.x_kind == kind]
    kinds = list(table.fine_tuned.unique())
    tuned = four.multiselect(
        "Training after the cut",
        kinds,
        default=kinds,
        format_func=TUNED.get,
        key=f"published tuned {pair} {metric} {kind}",
    )
    table = table[table.fine_tuned.isin(tuned)].assign(training=table.fine_tuned.map(TUNED))
    return table, pair, metric, kind
