"""What others have published, on other models and data than the scoreboard's: every row in a table, many in a chart."""

import pandas as pd
import streamlit as st

from explorer.bench.literature import CAVEATS, METRICS, PRUNED, SOURCES, TUNED, literature
from explorer.plain import named, plain
from explorer.ui.parts import frame, say
from explorer.ui.state.forms import kept
from pages.scoreboard import scores

ALL = "All"
USUAL = {
    "task": "image classification",
    "network": "ResNet-50",
    "data": "ImageNet",
    "metric": "top1",
    "x_kind": "params_removed_pct",
}
"""What is shown first."""
CHOICES = {
    "task": "Task",
    "network": "Network",
    "data": "Data",
    "metric": "Metric",
    "x_kind": "Pruned by",
    "fine_tuned": "Training after the cut",
    "source": "Source",
}
"""The columns of which a person chooses one value or all, each among what those before it leave."""
WORDS = {"metric": METRICS, "x_kind": PRUNED, "fine_tuned": TUNED}
ONE = {"network": "network", "data": "data set", "metric": "metric", "x_kind": "measure of what was pruned"}
"""The columns of which a chart has one value, in words."""
DIFFERENCES, VALUES = "Differences from the source's own base", "Values"
COLUMNS = {
    "source": "Source",
    "table": "Table",
    "method": "Method",
    "network": "Network",
    "variant": "Variant",
    "data": "Data",
    "training": "Training after the cut",
    "pruned": "Pruned by",
    "x_value": "How much",
    "measure": "Metric",
    "baseline": "Base",
    "value": "Value",
    "delta": "Difference",
    "note": "Note",
    "model": "Network as printed",
    "dataset": "Data as printed",
}


def show() -> None:
    """The published results that a person chooses, drawn where they have one scale, and where they come from."""
    st.subheader("Published, not measured here", anchor=False)
    st.caption(
        "These numbers are other people's. None of them is about a model and data of the scoreboard above, so the two "
        "are not drawn into one picture: accuracies on different tasks can't be compared."
    )
    everything = _published()
    table = _chosen(everything)
    _draw(table)
    say.caption(f"{len(table)} of {len(everything)} published results.")
    st.dataframe(table[list(COLUMNS)].set_axis(list(COLUMNS.values()), axis=1), hide_index=True, height=320)
    with st.expander("Sources and what is known to be wrong in them", icon=":material/info:"):
        for name, what in SOURCES.items():
            st.markdown(f"- {named(name)}: {plain(what)}, {int((everything.source == name).sum())} rows")
        st.markdown("\n".join(f"- {caveat}" for caveat in CAVEATS))


@st.cache_data(max_entries=1, show_spinner=False)
def _published() -> pd.DataFrame:
    table = pd.DataFrame(literature())
    words = {"training": "fine_tuned", "pruned": "x_kind", "measure": "metric"}
    return table.assign(**{name: table[of].map(WORDS[of]) for name, of in words.items()})


def _chosen(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that a person chooses, by one column after the other."""
    rows = [st.columns(4), st.columns(3)]
    for place, (column, title) in zip([*rows[0], *rows[1]], CHOICES.items(), strict=True):
        offered = [ALL, *table[column].value_counts().index]
        usual = offered.index(USUAL[column]) if USUAL.get(column) in offered else 0
        words = WORDS.get(column, {})
        found = place.selectbox(
            plain(title),
            offered,
            index=usual,
            format_func=lambda name, words=words: words.get(name, name),
            key=kept(f"published {column}", offered),
            persist_state="session",
        )
        if found != ALL:
            table = table[table[column] == found]
    return table


def _draw(table: pd.DataFrame) -> None:
    """The rows in a chart, if they have one network, data, metric and way of counting what was pruned."""
    shown = st.radio(
        "Show", [DIFFERENCES, VALUES], horizontal=True, key=kept("published shown"), persist_state="session"
    )
    column = "value" if shown == VALUES else "delta"
    drawn = table[(table.method != "unpruned") & table.x_value.notna() & table[column].notna()]
    several = [words for name, words in ONE.items() if drawn[name].nunique() > 1]
    if drawn.empty:
        say.caption("None of these results states both how much was pruned and what is to be shown: see the table.")
        return
    if several:
        say.caption(f"Choose one {', one '.join(several)} to see these results in a chart.")
        return
    first = drawn.iloc[0]
    measure = METRICS[first.metric]
    title = f"{measure} against the source's own base" if column == "delta" else measure
    said = f"{len(drawn)} published results of {drawn.method.nunique()} methods for {first.network} on {first['data']}"
    drawing = scores.published(drawn, PRUNED[first.x_kind], title, column=column)
    frame.chart(said, drawing, f"Published {measure} by how much was pruned")
