"""What a comparison of criteria costs, and the job that makes it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from explorer.criteria import CRITERIA
from explorer.errors import ExplorerError
from explorer.methods.spec import CRITERION, CRITERION_WHY
from explorer.methods.studies.agreement import MOST
from explorer.runs.documents import read_agreement
from explorer.tasks import Task
from explorer.ui import engine
from explorer.ui.parts import measured
from explorer.ui.state.forms import kept
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words

DEFAULT = ("flow", CRITERION, "taylor", "random")


def choose() -> list[str]:
    """Asks for the criteria to be compared."""
    return st.multiselect(
        "Criteria to compare",
        list(CRITERIA),
        default=list(DEFAULT),
        format_func=lambda name: CRITERIA[name].title,
        max_selections=MOST,
        key=kept("compared criteria"),
        persist_state="session",
        help="Each with its default options, on the same calibration samples.\n\n"
        f"{CRITERIA[CRITERION].title} is what scores where nothing is chosen: {CRITERION_WHY}.",
    )


def show_costs(workspace: Workspace, task: Task | None, names: Sequence[str]) -> None:
    """What every criterion needs, and how long it will take here."""
    rows = []
    for name in names:
        entry = CRITERIA[name]
        free = not entry.needs & {"inputs", "labels"}
        timed = free or task is not None
        seconds = engine.scoring_seconds(workspace.model, workspace.data, name) if timed else None
        rows.append(
            {
                "Criterion": entry.title,
                "Needs": ", ".join(sorted(entry.needs)) or "the weights",
                "Cost": entry.cost,
                "Time of its passes here": "not timed" if seconds is None else _seconds(seconds),
            }
        )
    st.dataframe(rows, hide_index=True, alt="What every criterion needs and costs", height="content")


def _seconds(value: float) -> str:
    if value == 0:
        return "no passes"
    return f"{value:.1g} s" if value < 1 else f"{value:.0f} s" if value < 55 else words.duration(value)


def offer(workspace: Workspace, names: Sequence[str], *, oracle: bool, label: str, about: str) -> dict[str, Any] | None:
    """The document of a finished comparison; else its button, or how it goes.

    Args:
        workspace: whose model and data it is on.
        names: of the criteria.
        oracle: whether the effect of single units is measured beside them.
        label: of the button.
        about: what it does, for a person.
    """
    spec = {"model": workspace.model, "data": workspace.data, "samples": engine.SAMPLES}
    request = {"kind": "agreement", "spec": spec, "criteria": list(names), "oracle": oracle}
    kind = f"agreement {'effect ' if oracle else ''}{workspace.model} {workspace.data} {' '.join(names)}"
    result = measured.offer(workspace, kind, request, label, about, ":material/play_arrow:", primary=not oracle)
    if result is None:
        return None
    try:
        return _document(result["file"])
    except ExplorerError as error:
        st.error("What was compared can't be read any more.", icon=":material/error:")
        st.text(str(error))
        measured.again(workspace, kind, request, label)
        return None


@st.cache_data(max_entries=8, show_spinner=False)
def _document(file: str) -> dict[str, Any]:
    return read_agreement(Path(file))
