"""Scoreboard: methods and criteria by what they left of accuracy, and, apart from that, what others have published."""

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from explorer.bench.literature import CAVEATS, SOURCES, literature
from explorer.bench.methods import player, summary
from explorer.budget import ALLOCATORS
from explorer.methods import METHODS
from explorer.places import ROOT
from explorer.recovery import RECOVERIES
from explorer.tasks import METRICS
from explorer.ui.parts import frame
from explorer.ui.state import session
from explorer.ui.text import findings
from pages.scoreboard import scores

FILE = ROOT / "docs" / "scoreboard.jsonl"
COMMAND = "python -m explorer bench methods --resume docs/scoreboard.jsonl --models demo:resnet20-digits"
USUAL = "global"  # the budget that is shown first
PERCENT = ("top1", "top5", "accuracy")  # published metrics in percent
KINDS = {
    "params_removed_pct": "parameters removed (%)",
    "flops_removed_pct": "FLOPs removed (%)",
    "params_kept_pct": "parameters kept (%)",
    "params_m": "parameters left (million)",
    "gmacs": "MACs left (billion)",
    "sparsity_pct": "weights at zero (%)",
}


@st.cache_data(max_entries=4, show_spinner=False)
def played(stamp: float) -> list[dict[str, Any]]:
    """The lines of the table, of all rows that are written whole: the file may be growing."""
    lines = FILE.read_text(encoding="utf-8").splitlines(keepends=True)
    return summary([json.loads(line) for line in lines if line.endswith("\n")])


@st.cache_data(max_entries=1, show_spinner=False)
def published() -> pd.DataFrame:
    return pd.DataFrame(literature())


def measured() -> None:
    """What was measured on the bundled tasks, filtered."""
    if not FILE.exists():
        st.info(
            "No scoreboard is kept in this copy of the project. Make it with this command:", icon=":material/timer:"
        )
        st.code(COMMAND, language="bash", wrap_lines=True)
        return
    lines = played(FILE.stat().st_mtime)
    good = [line for line in lines if "error" not in line]
    if not good:
        st.info("The scoreboard's file holds no finished run yet.", icon=":material/timer:")
        return
    left, right = st.columns(2)
    model = left.selectbox("Model", _unique(good, "model"), key="board model", persist_state="session")
    good = [line for line in good if line["model"] == model]
    target = right.selectbox("Target", _unique(good, "target"), key="board target", persist_state="session")
    good = [line for line in good if line["target"] == target]
    place = f"{model} {target}"
    recoveries = _unique(good, "recover")
    recoveries = _some("Recovery", recoveries, recoveries, lambda name: RECOVERIES[name].title, place)
    budgets = _unique([line for line in good if not METHODS[line["method"]].chooses], "allocate")
    if len(budgets) > 1:
        usual = [USUAL] if USUAL in budgets else budgets
        budgets = _some("Budget", budgets, usual, lambda name: ALLOCATORS[name].title, place)
    good = [
        line
        for line in good
        if line["recover"] in recoveries and (METHODS[line["method"]].chooses or line["allocate"] in budgets)
    ]
    if not good:
        st.caption("Choose a recovery and a budget to see their lines.")
        return
    metric = METRICS[good[0]["metric"]]
    table = pd.DataFrame(good).assign(
        player=[player(line, good) for line in good],
        recovery=[RECOVERIES[line["recover"]].title for line in good],
    )
    frame.chart(findings.of_scoreboard(table, metric), scores.standing(table, metric), "Test metric of every player")
    runs = sorted(set(table.runs))
    st.caption(
        f"Test {metric.short} with its 95% interval over {' or '.join(map(str, runs))} seeds and the test images. The "
        f"dashed line is the whole model, {metric.text(float(table.base.iloc[0]))}. Every run was made here, with the "
        "same effort for every player."
    )
    failed = [line for line in lines if "error" in line and line["model"] == model and line["target"] == target]
    for line in failed:
        st.caption(f"{player(line, [line])}, {line['recover']}: {line['error']}.")


def _some(label: str, names: list[str], usual: list[str], title: Callable, place: str) -> list[str]:
    """Those of the names that a person keeps."""
    key = f"board {label} {place}"
    return st.pills(label, names, selection_mode="multi", default=usual, format_func=title, key=key)


def _unique(lines: list[dict[str, Any]], key: str) -> list[str]:
    return list(dict.fromkeys(line[key] for line in lines))


def elsewhere() -> None:
    """Published results, on other models and data than the scoreboard's."""
    st.subheader("Published, not measured here", anchor=False)
    st.caption(
        "These numbers are other people's. None of them is about a model and data of the scoreboard above, so the two "
        "are not drawn into one picture: accuracies on different tasks can't be compared."
    )
    table = published()
    table = table[
        (table.method != "unpruned")
        & table.x_kind.isin(KINDS)
        & table.metric.isin(PERCENT)
        & table.x_value.notna()
        & table.delta.notna()
    ]
    pairs = (table.model + " on " + table.dataset).value_counts()
    one, two, three, four = st.columns([3, 2, 3, 3])
    pair = one.selectbox("Model and data", list(pairs.index), key="published pair", persist_state="session")
    table = table[table.model + " on " + table.dataset == pair]
    metric = two.selectbox("Metric", list(table.metric.unique()), key=f"published metric {pair}")
    table = table[table.metric == metric]
    kind = three.selectbox("Pruned", list(table.x_kind.unique()), format_func=KINDS.get, key=f"published kind {pair}")
    table = table[table.x_kind == kind]
    tuned = {"yes": "fine-tuned", "no": "not fine-tuned", "unknown": "not stated"}
    kinds = list(table.fine_tuned.unique())
    chosen = four.pills(
        "Training after the cut",
        kinds,
        selection_mode="multi",
        default=kinds,
        format_func=tuned.get,
        key=f"published tuned {pair} {metric} {kind}",
    )
    table = table[table.fine_tuned.isin(chosen)].assign(training=table.fine_tuned.map(tuned))
    if table.empty:
        st.caption("No result fits this choice.")
    else:
        said = f"{len(table)} published results of {table.method.nunique()} methods for {pair}"
        drawing = scores.published(table, KINDS[kind], f"{metric} against the source's own base, points")
        frame.chart(said, drawing, f"Published change of {metric} by how much was pruned")
    with st.expander("Sources and what is known to be wrong in them", icon=":material/info:"):
        for name, what in SOURCES.items():
            st.markdown(f"- `{name}`: {what}, {int((published().source == name).sum())} rows")
        st.markdown("\n".join(f"- {caveat}" for caveat in CAVEATS))


workspace = session.current()
frame.heading("Scoreboard", "Methods and criteria over targets, recoveries and seeds, on the bundled tasks.", workspace)
measured()
elsewhere()
