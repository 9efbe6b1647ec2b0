"""What every channel is worth, all groups at once."""

import pandas as pd
import streamlit as st

from explorer.criteria import CRITERIA, Scores
from explorer.plain import named, plain
from explorer.pruning import Plan
from explorer.structure import GROUP_KINDS
from explorer.ui import engine
from explorer.ui.charts.scores import distribution, heatmap
from explorer.ui.engine import Opened
from explorer.ui.parts import detail, frame, say
from explorer.ui.parts.scoring import scores_for
from explorer.ui.state.forms import kept
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import findings
from pages.look import criterion

SHOWN = 6  # of the lowest and of the highest units
ALL, EACH = "One for all groups", "One per group"


def show_heatmap(workspace: Workspace, opened: Opened, scores: Scores, plan: Plan) -> None:
    """All groups at once; a click on a row looks into its group."""
    scale = st.radio(
        "Colour scale",
        [ALL, EACH],
        key=kept("scale"),
        persist_state="session",
        help="One for all: the same score has the same colour everywhere. Per group: the order within each group "
        "shows.",
        horizontal=True,
    )
    groups = opened.structure.groups
    facts = pd.DataFrame(
        {
            "kind": {name: groups[name].kind for name in scores.groups},
            "cut": {name: len(plan.remove.get(name, ())) / groups[name].units for name in scores.groups},
        }
    )
    frame.chart(
        findings.of_heatmap(CRITERIA[workspace.criterion].title, scores.groups),
        heatmap(scores.groups, facts, shared=scale != EACH),
        "Heatmap of all scores, a row per group",
        key="heatmap",
        on_select=take_pick,
    )
    marks = " The red mark is where the budget cuts: what lies left of it goes."
    st.caption("Click a row to look into its group." + (marks if workspace.budget else ""))


def take_pick() -> None:
    """Chooses the group that was clicked in the heatmap."""
    rows = st.session_state.get("heatmap", {}).get("selection", {}).get("pick", [])
    if rows and (name := rows[0].get("group")):
        st.session_state["group"] = name


def show_skipped(scores: Scores) -> None:
    """The groups that the criterion has no scores for, with the reasons."""
    if not scores.skipped:
        return
    with st.expander(f"{len(scores.skipped)} groups without a score: they stay whole", icon=":material/info:"):
        for name, reason in scores.skipped.items():
            st.markdown(f"- {named(name)}: {plain(reason)}")


def choose_group(scores: Scores) -> str:
    """Asks for a group, at first the one in the middle of the network."""
    names = list(scores.groups)
    key = kept("group", names)
    st.session_state.setdefault(key, names[len(names) // 2])
    return st.selectbox("Group", names, key=key, width=380, persist_state="session")


def show_group(workspace: Workspace, opened: Opened, scores: Scores, plan: Plan, name: str, index: int) -> None:
    """One group: how its scores are spread, and what its lowest and highest units respond to in a test image."""
    group, values = opened.structure.groups[name], scores.groups[name]
    left, right = st.columns(2, gap="medium")
    with left:
        picture = distribution(values, removed=len(plan.remove.get(name, ())))
        frame.chart(findings.of_group(name, values), picture, "Histogram of the group's scores")
        say.caption(f"{GROUP_KINDS[group.kind].capitalize()}. {group.why}")
    with right:
        detail.maps(workspace, opened, name, findings.extremes(values, SHOWN), index)


def show(workspace: Workspace, opened: Opened, index: int) -> None:
    """The criterion, all scores, and one group of them, looked into with the test image of that index."""
    st.subheader("What every channel is worth", anchor=False)
    criterion.choose(workspace)
    scores = scores_for(workspace)
    if scores is None:
        return
    plan = engine.plan_of(workspace.model, scores, workspace.draft.now)
    show_heatmap(workspace, opened, scores, plan)
    show_skipped(scores)
    show_group(workspace, opened, scores, plan, choose_group(scores), index)
