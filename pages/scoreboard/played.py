"""What was measured on the bundled tasks, filtered."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from explorer.bench.methods import player, summary
from explorer.bench.rows import Played, read_rows
from explorer.budget import ALLOCATORS
from explorer.errors import ExplorerError
from explorer.methods import METHODS
from explorer.plain import plain
from explorer.recovery import RECOVERIES
from explorer.tasks import METRICS
from explorer.ui.parts import frame, say
from explorer.ui.state.forms import kept
from explorer.ui.text import findings
from pages.scoreboard import scores

COMMAND = "python -m explorer bench methods --resume docs/scoreboard.jsonl --models demo:resnet20-digits"
USUAL = "global"  # the budget that is shown first
Line = dict[str, Any]
"""Of the scoreboard: a player on one model, target, recovery and budget, see `explorer.bench.methods.summary`."""


def show(file: Path) -> None:
    """The scoreboard in a file; how to make it, where there is none."""
    if not file.exists():
        st.info(
            "No scoreboard is kept in this copy of the project. Make it with this command:", icon=":material/timer:"
        )
        st.code(COMMAND, language=None, wrap_lines=True)
        return
    try:
        lines, damaged = _lines(str(file), file.stat().st_mtime)
    except ExplorerError as error:
        st.error("The scoreboard's file can't be read.", icon=":material/error:")
        st.text(str(error))
        return
    if damaged:
        rows = "1 row is" if damaged == 1 else f"{damaged} rows are"
        st.caption(f"{plain(rows)} damaged in the scoreboard's file, and left out.")
    good = [line for line in lines if "error" not in line]
    if not good:
        st.info("The scoreboard's file holds no finished run yet.", icon=":material/timer:")
        return
    left, right = st.columns(2)
    model = left.selectbox("Model", _unique(good, "model"), key=kept("board model"), persist_state="session")
    good = [line for line in good if line["model"] == model]
    target = right.selectbox("Target", _unique(good, "target"), key=kept("board target"), persist_state="session")
    good = _filtered([line for line in good if line["target"] == target], f"{model} {target}")
    if not good:
        st.caption("Choose a recovery and a budget to see their lines.")
        return
    _draw(good)
    for line in lines:
        if "error" in line and line["model"] == model and line["target"] == target:
            say.caption(f"{player(line, [line])}, {line['recover']}: {line['error']}.")


@st.cache_data(max_entries=4, show_spinner=False)
def _lines(file: str, stamp: float) -> tuple[list[Line], int]:
    """The lines of the table, of all rows that are written whole: the file may be growing. And how many are damaged."""
    rows, damaged = read_rows(Path(file), Played)
    return summary(rows), damaged


def _filtered(lines: list[Line], place: str) -> list[Line]:
    """Those of the recoveries and budgets that a person keeps; `place` is the model and target that they are of."""
    recoveries = _unique(lines, "recover")
    recoveries = _some("Recovery", recoveries, recoveries, lambda name: RECOVERIES[name].title, place)
    budgets = _unique([line for line in lines if not METHODS[line["method"]].chooses], "allocate")
    if len(budgets) > 1:
        usual = [USUAL] if USUAL in budgets else budgets
        budgets = _some("Budget", budgets, usual, lambda name: ALLOCATORS[name].title, place)
    return [
        line
        for line in lines
        if line["recover"] in recoveries and (METHODS[line["method"]].chooses or line["allocate"] in budgets)
    ]


def _draw(lines: list[Line]) -> None:
    metric = METRICS[lines[0]["metric"]]
    table = pd.DataFrame(lines).assign(
        player=[player(line, lines) for line in lines],
        recovery=[RECOVERIES[line["recover"]].title for line in lines],
    )
    frame.chart(findings.of_scoreboard(table, metric), scores.standing(table, metric), "Test metric of every player")
    runs = sorted(set(table.runs))
    say.caption(
        f"Test {metric.short} with its 95% interval over {' or '.join(map(str, runs))} seeds and the test images. The "
        f"dashed line is the whole model, {metric.text(float(table.base.iloc[0]))}. Every run was made here, with the "
        "same effort for every player."
    )


def _some(label: str, names: list[str], usual: list[str], title: Callable, place: str) -> list[str]:
    """Those of the names that a person keeps."""
    key = f"board {label} {place}"
    return st.multiselect(plain(label), names, default=usual, format_func=title, key=key)


def _unique(lines: list[Line], key: str) -> list[str]:
    return list(dict.fromkeys(line[key] for line in lines))
