"""Some test samples with what the network answers, and the evidence of one answer on its picture."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from explorer.errors import ExplorerError
from explorer.evaluation import ATTRIBUTIONS, where, why_no_evidence
from explorer.methods.tools.portions import SECOND
from explorer.plain import plain
from explorer.tasks import Answered, Task, spread_places, why_unanswered
from explorer.ui import engine
from explorer.ui.charts.evidence import enlarged, overlay
from explorer.ui.engine import Opened
from explorer.ui.parts import answers, say
from explorer.ui.state.forms import kept
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words

MOST = 10  # samples
PICTURE = 168  # pixels a side of the one that is looked at


def show(workspace: Workspace, opened: Opened, task: Task | None) -> Answered | None:
    """The samples with their answers, beside them the evidence of one answer; gives the sample that was chosen."""
    if task is None:
        return None
    if reason := why_unanswered(task):
        say.caption(words.sentence(f"no answers are shown: {reason}"))
        return None
    try:
        found = engine.answers(workspace.model, workspace.data, _places(opened, task))
    except ExplorerError as error:
        say.warning(f"No answers: {error}")
        return None
    left, right = st.columns([3, 2], gap="medium")
    with left:
        answers.show(task, found)
    with right:
        chosen = _choose(workspace, found)
        _evidence(workspace, task, chosen)
    return chosen


def _places(opened: Opened, task: Task) -> list[int]:
    """As many samples as are answered at once."""
    macs = max(opened.structure.cost().macs, 1)
    return spread_places(task, int(np.clip(SECOND // macs, 1, MOST)))


def _choose(workspace: Workspace, found: Sequence[Answered]) -> Answered:
    """Asks which sample is looked at: at first one that is answered wrong, if there is one."""
    wrong = next((number for number, each in enumerate(found) if each.right is False), 0)
    number = st.selectbox(
        "Look at",
        range(len(found)),
        index=wrong,
        format_func=lambda number: f"Sample {number + 1}: {answers.told(found[number])}",
        key=kept(f"sample {workspace.model} {workspace.data}"),
        persist_state="session",
    )
    return found[min(int(number), len(found) - 1)]


def _evidence(workspace: Workspace, task: Task, chosen: Answered) -> None:
    """What of the picture the answer rests on."""
    if reason := why_no_evidence(task):
        say.caption(words.sentence(f"no evidence is shown: {reason}"))
        return
    by = st.radio(
        "Evidence by",
        list(ATTRIBUTIONS),
        format_func=lambda key: ATTRIBUTIONS[key].title,
        key=kept("evidence"),
        persist_state="session",
        horizontal=True,
    )
    model, data, answer = workspace.model, workspace.data, chosen.choice or 0
    at = model, data, chosen.place, answer, by
    there = engine.known(lambda: engine.evidence_of(*at)) is not None
    offered = not (there or engine.evidence_is_quick(model, by))
    if offered and not st.button("Look for the evidence", icon=":material/search:"):
        say.caption(f"A large network: this takes {ATTRIBUTIONS[by].passes} passes, and the page waits for them.")
        return
    try:
        parts = engine.evidence_of(*at)
    except ExplorerError as error:
        say.caption(words.sentence(f"no evidence is shown: {error}"))
        return
    picture, place = task.show(chosen.place), where(parts)
    with st.container(horizontal=True, gap="small"):
        st.image(enlarged(picture), width=PICTURE, alt=f"The sample, a picture of {chosen.label}")
        st.image(overlay(picture, parts), width=PICTURE, alt=f"Evidence for {chosen.answer}: most of it in {place}")
    st.markdown(f"**{plain(chosen.answer)}** rests most on {place} of the picture.")
    say.caption(ATTRIBUTIONS[by].explanation)
