"""All runs as a table: filtered, sorted, and chosen from by its rows or by their names."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from explorer.criteria import CRITERIA
from explorer.methods import METHODS
from explorer.plain import plain, visible
from explorer.runs.history.doubts import doubts
from explorer.runs.history.lineage import RunRecord
from explorer.tasks import headline
from explorer.ui.charts.colours import RUNS
from explorer.ui.parts import compared, say
from explorer.ui.parts.compared import Shown
from explorer.ui.state.forms import kept
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import terms

CHOSEN, REVISION, WHOSE = "chosen runs", "revision of the table of runs", "whose runs"
MINE, EVERYONE = "Mine", "Everyone's"
STATES = {"queued": "waiting", "done": "finished"}
DOT = "⬤"
COLUMNS = {
    "Colour": st.column_config.TextColumn("", width=36, help="The run's colour in every picture"),
    "MACs kept": st.column_config.NumberColumn(format="%.1f%%", help=plain(terms.told("MACs kept"))),
    "Test metric": st.column_config.TextColumn(help=plain(terms.told("interval"))),
    "Against its base": st.column_config.TextColumn(help=plain(terms.told("real difference"))),
    "Time of its base": st.column_config.NumberColumn(
        format="%.2f×", help="One pass for one input, timed in turns with the base; empty where that was not done"
    ),
    "Begun": st.column_config.DatetimeColumn(format="D MMM, HH:mm"),
    "Mind": st.column_config.TextColumn(help="Why its number says little"),
}


def whose(workspace: Workspace) -> bool:
    """Asks whether the runs of others are shown, too, where there are some; at first they are not."""
    count = compared.others(workspace)
    if not count:
        return False
    picked = st.radio("Whose runs", [MINE, EVERYONE], key=kept(WHOSE), label_visibility="collapsed", horizontal=True)
    if picked == MINE:
        say.caption(f"{count} {'run' if count == 1 else 'runs'} of others on this server not shown.")
    return picked == EVERYONE


def show(shown: Sequence[Shown], others: Sequence[RunRecord], *, everyone: bool) -> list[str]:
    """The table; the ids of the runs that are chosen.

    Args:
        shown: finished runs, newest first.
        others: those without a result.
        everyone: whether runs of others are among them.
    """
    rows = {record.id: _unfinished(record) for record in others}
    rows |= {entry.record.id: _finished(entry, everyone=everyone) for entry in shown}
    names = {id: row["Run"] for id, row in rows.items()}
    key = kept(CHOSEN)
    st.session_state[key] = [id for id in st.session_state.get(key, []) if id in rows]
    visible_ids = _filtered(rows)
    if visible_ids:
        _table([rows[id] for id in visible_ids], visible_ids)
    else:
        st.caption("No run has this in its name, model, data, method or notes.")
    return st.multiselect(
        "Chosen runs",
        list(rows),
        key=key,
        format_func=lambda id: plain(names[id]),
        on_change=_redraw,
        placeholder="Choose one to go on from it, several to compare them",
    )


def _filtered(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Asks for a word, and gives the ids of the rows that have it."""
    if len(rows) < 2:
        return list(rows)
    asked = st.text_input(
        "Filter",
        key=kept("filter of runs"),
        placeholder="Filter by name, model, data, method, notes",
        icon=":material/search:",
        label_visibility="collapsed",
    )
    wanted = (asked or "").lower().split()
    return [id for id, row in rows.items() if all(word in row["text"].lower() for word in wanted)]


def _table(rows: Sequence[Mapping[str, Any]], ids: Sequence[str]) -> None:
    frame = pd.DataFrame(
        [{name: value for name, value in row.items() if name not in ("text", "shade")} for row in rows]
    )
    frame = frame.dropna(axis="columns", how="all")
    chosen = [place for place, id in enumerate(ids) if id in st.session_state[CHOSEN]]
    key = f"table of runs {st.session_state.get(REVISION, 0)}"
    st.dataframe(
        _coloured(frame, [row["shade"] for row in rows]),
        hide_index=True,
        width="stretch",
        column_config=COLUMNS,
        key=key,
        on_select=partial(_pick, key, list(ids)),
        selection_mode="multi-row",
        selection_default={"selection": {"rows": chosen}},
        alt="Runs, a row each",
    )


def _coloured(frame: pd.DataFrame, shades: Sequence[str]) -> Styler:
    return frame.style.apply(lambda column: [f"color: {shade}" for shade in shades], subset=["Colour"])


def _pick(key: str, ids: Sequence[str]) -> None:
    """The rows that are selected are the runs that are chosen; those that the filter hides stay so."""
    rows = st.session_state[key]["selection"]["rows"]
    hidden = [id for id in st.session_state.get(CHOSEN, []) if id not in ids]
    st.session_state[CHOSEN] = [*hidden, *(ids[row] for row in rows if row < len(ids))]


def choose(ids: Sequence[str]) -> None:
    """Chooses runs from elsewhere on the page."""
    st.session_state[CHOSEN] = list(ids)
    _redraw()


def _redraw() -> None:
    """Lets the table take over what is chosen."""
    st.session_state[REVISION] = st.session_state.get(REVISION, 0) + 1


def _finished(entry: Shown, *, everyone: bool) -> dict[str, Any]:
    found, paired, ratio = headline(entry.run.result["pruned"]), entry.run.paired, entry.run.ratio
    row = _common(entry.record, entry.name) | {
        "MACs kept": 100 * entry.origin["macs"] * entry.record.kept["macs"],
        "Test metric": found and f"{found.metric.short} {found.text()}",
        "Against its base": paired and f"{paired.verdict}: {paired.lost} lost, {paired.gained} gained",
        "Time of its base": ratio and ratio["ratio"],
        "State": STATES["done"],
        "Begun": datetime.fromtimestamp(entry.record.created),
        "Mind": "; ".join([*doubts(entry.run), *_baseline(entry)]) or None,
    }
    return row | ({"Whose": "mine" if entry.own else "another's"} if everyone else {})


def _baseline(entry: Shown) -> list[str]:
    return [f"{entry.what}, a baseline of {entry.baseline_of}"] if entry.baseline_of else []


def _unfinished(record: RunRecord) -> dict[str, Any]:
    state, job = STATES.get(record.state, record.state), compared.job_of(record)
    return _common(record, record.name) | {
        "State": f"{state}, {job.fraction:.0%}" if job and record.state == "running" else state,
        "Begun": datetime.fromtimestamp(record.created),
    }


def _common(record: RunRecord, name: str) -> dict[str, Any]:
    method = METHODS[record.method].title if record.method in METHODS else record.method
    criterion = CRITERIA[record.criterion].title if record.criterion in CRITERIA else record.criterion
    shown = {
        "Run": visible(name),
        "Model": visible(record.model),
        "Data": visible(record.data),
        "Method": " · ".join(filter(None, (method, criterion))),
    }
    text = " ".join([*shown.values(), record.recovery, record.notes])
    return {"Colour": DOT, "shade": RUNS[record.colour], "text": text, **shown}
