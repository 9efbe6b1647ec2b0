"""A mission made from where the board stands, in a minute."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from explorer.criteria import CRITERIA
from explorer.errors import ExplorerError
from explorer.learning.missions.facts import REPAIRED, Facts
from explorer.learning.missions.goal import GOALS, Goal, GoalKind
from explorer.learning.missions.mission import HIDDEN, LONGEST, TOOLS, Mission
from explorer.learning.missions.proposing import proposals
from explorer.plain import plain
from explorer.ui.parts import frame, mission_facts, mission_link, mission_play, say
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words


def show(workspace: Workspace) -> None:
    """The form; its goals are proposed from the cut on the board."""
    st.subheader("Make this a mission", anchor=False)
    opened = frame.model_or_stop(workspace)
    task = frame.task_or_word(workspace, opened)
    if task is None or not task.measured:
        st.caption("A mission needs data with labels, on which what is handed in can be judged.")
        return
    known = mission_facts.facts(workspace, REPAIRED)
    if known is None:
        return
    cut = known.macs is not None and known.macs < known.costs["macs"]
    say.caption(
        f"Goals that the cut on your board just meets: {workspace.model} on {workspace.data}."
        if cut
        else "Nothing is cut on your board yet: cut something first, and goals are proposed from where it stands."
    )
    if cut and known.reached() is None:
        st.caption("What your cut reaches repaired is measured on the page Cut: it is not known yet.")
    _form(workspace, known)


def _form(workspace: Workspace, known: Facts) -> None:
    key = f"{workspace.version} {workspace.data}"
    title = st.text_input("Title", "Beat my cut", max_chars=LONGEST["title"], key="mission title")
    proposed = {goal.kind: goal for goal in proposals(known)}
    chosen = _chosen(proposed)
    offered = [_goal(kind, proposed.get(kind.name), known.metric, key, kind.name in chosen) for kind in GOALS.values()]
    goals = [goal for goal in offered if goal is not None]
    left, right = st.columns(2)
    tools = left.multiselect(
        "Allowed beside the cut", list(TOOLS), [REPAIRED], format_func=TOOLS.__getitem__, key="mission tools"
    )
    criteria = right.multiselect(
        "Criteria",
        list(CRITERIA),
        format_func=lambda name: CRITERIA[name].title,
        placeholder="any",
        key="mission criteria",
    )
    locked = sorted(workspace.locked)
    if locked:
        say.caption(f"What is locked on the board stays whole in the mission too: {', '.join(locked)}.")
    try:
        mission = Mission(
            title=title,
            model=workspace.model,
            data=workspace.data,
            goals=tuple(goals),
            locked=tuple(locked),
            tools=tuple(tools),
            criteria=tuple(criteria),
            hidden=HIDDEN,
        )
    except ExplorerError as error:
        say.caption(words.sentence(str(error)))
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Make this a mission", type="primary", icon=":material/add:", key="make mission"):
            mission_play.keep(workspace, mission)
            mission_link.begin(workspace, mission)
            st.rerun()
        say.caption("You play it at once; its link is at the top of this page.")


def _chosen(proposed: Mapping[str, Goal]) -> set[str]:
    """The kinds that are chosen at first: one cost and one of what the network reaches, as every mission needs one."""
    cost = next((kind for kind in proposed if not GOALS[kind].metered), "")
    usual = (kind.name for kind in GOALS.values() if kind.metered and kind.usual)
    return {cost, next((kind for kind in proposed if GOALS[kind].metered), next(usual, ""))}


def _goal(kind: GoalKind, proposed: Goal | None, metric: str, key: str, chosen: bool) -> Goal | None:
    """A goal of a kind, if it is chosen, with the number that is entered."""
    start: dict[str, Any] = dict(proposed.settings if proposed is not None else kind.usual)
    if not start:
        return None
    name, one, unit = kind.entered(metric)
    with st.container(horizontal=True, vertical_alignment="center"):
        wanted = st.checkbox(
            plain(kind.title),
            chosen,
            key=f"goal {kind.name} {key}",
            help=plain(kind.explanation),
            width=150,
        )
        number = st.number_input(
            plain(unit),
            value=float(start[name] / one),
            key=f"goal number {kind.name} {key}",
            disabled=not wanted,
            label_visibility="collapsed",
            width=160,
            format="%.4g",
        )
        try:
            goal = Goal.made(kind.name, **{**start, name: _value(number * one)})
        except ExplorerError as error:
            say.caption(words.sentence(str(error)), width="stretch")
            return None
        say.caption(goal.says(metric), width="content")
    return goal if wanted else None


def _value(number: float) -> float:
    """Without the digits that a unit adds: 0.88, not 0.8800000000000001."""
    return float(f"{number:.9g}")
