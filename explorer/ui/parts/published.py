"""What others have published, on other models and data than what is measured here: rows in a table, many in a chart."""

import pandas as pd
import streamlit as st

from explorer.bench.literature import CAVEATS, METRICS, PRUNED, SOURCES, TUNED, literature
from explorer.learning.library.results import unidentified
from explorer.plain import named, plain
from explorer.ui.charts.published import published
from explorer.ui.parts import frame, say
from explorer.ui.state.forms import kept

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
        "These numbers are other people's, on other models and data than those measured here, so the two are never "
        "drawn into one picture: accuracies on different tasks can't be compared."
    )
    everything = _published()
    table = _chosen(everything)
    _draw(table, "published shown")
    say.caption(f"{len(table)} of {len(everything)} published results.")
    _rows(table, 320)
    with st.expander("Sources and what is known to be wrong in them", icon=":material/info:"):
        _sources(everything)
        say.caption(
            "Methods whose papers the library does not have, since their sources give little more than these names: "
            f"{', '.join(unidentified(literature()))}."
        )


def of_methods(methods: tuple[str, ...], key: str) -> None:
    """The results of a paper's methods, by one network, data and measure at a time, with their sources.

    Args:
        methods: as the table of published results calls them.
        key: what the controls' keys begin with.
    """
    everything = _published()
    table = everything[everything.method.isin(methods)]
    scales = list(table.groupby(list(ONE), sort=False).size().sort_values(ascending=False).index)
    st.markdown(f"**Published, not measured here: {len(table)} results**")
    scale = st.selectbox("On", scales, format_func=_scale, key=f"{key} scale") if len(scales) > 1 else scales[0]
    chosen = table[(table[list(ONE)] == list(scale)).all(axis="columns")]
    _draw(chosen, f"{key} shown")
    _rows(chosen, "content" if len(chosen) < 8 else 250)
    _sources(chosen)


def _scale(scale: tuple[str, ...]) -> str:
    """A network, data, metric and measure of what was pruned in words."""
    network, data, metric, pruned = scale
    return f"{network} on {data}: {METRICS[metric]} by {PRUNED[pruned]}"


@st.cache_data(max_entries=1, show_spinner=False)
def _published() -> pd.DataFrame:
    table = pd.DataFrame(literature())
    words = {"training": "fine_tuned", "pruned": "x_kind", "measure": "metric"}
    return table.assign(**{name: table[of].map(WORDS[of]) for name, of in words.items()})


def _rows(table: pd.DataFrame, height: int | str) -> None:
    shown = table[list(COLUMNS)].set_axis(list(COLUMNS.values()), axis=1)
    st.dataframe(shown, hide_index=True, height=height, alt="Published results, a row each, with their sources")


def _sources(table: pd.DataFrame) -> None:
    """Where rows come from, and what is known to be wrong there."""
    for name, what in SOURCES.items():
        if count := int((table.source == name).sum()):
            rows = f"{count} {'row' if count == 1 else 'rows'}"
            st.markdown(f"- {named(name)}: {plain(what)}, {rows}. {plain(' '.join(CAVEATS[name]))}")


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


def _draw(table: pd.DataFrame, key: str) -> None:
    """The rows in a chart, if they have one network, data, metric and way of counting what was pruned."""
    shown = st.radio("Show", [DIFFERENCES, VALUES], horizontal=True, key=kept(key), persist_state="session")
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
    several_methods = drawn.method.nunique()
    methods = "1 method" if several_methods == 1 else f"{several_methods} methods"
    said = f"{len(drawn)} published results of {methods} for {first.network} on {first['data']}"
    drawing = published(drawn, PRUNED[first.x_kind], title, column=column)
    frame.chart(said, drawing, f"Published {measure} by how much was pruned")
