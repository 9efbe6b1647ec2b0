"""Flow: what every channel is worth, all groups at once."""

import pandas as pd
import streamlit as st

from explorer.criteria import CRITERIA
from explorer.ui import engine
from explorer.ui.charts.scores import distribution, heatmap
from explorer.ui.parts import detail, frame
from explorer.ui.parts.scoring import scores_for
from explorer.ui.state import session
from explorer.ui.text import findings, words

workspace = session.current()
SHOWN = 6


def choose_criterion() -> None:
    """The criterion and its options; the explanation stands beside the choice."""
    left, middle, right = st.columns([3, 3, 2], vertical_alignment="bottom")
    names = list(CRITERIA)
    name = left.selectbox(
        "Criterion: what makes a channel worth keeping",
        names,
        index=names.index(workspace.criterion),
        format_func=lambda key: CRITERIA[key].title,
    )
    chosen = CRITERIA[name]
    with middle:
        options = criterion_options(name)
    with right.popover("How it is computed", icon=":material/function:", width="stretch"):
        explain(chosen)
    if (name, options) != (workspace.criterion, workspace.options):
        workspace.judge_by(name, options)
    st.caption(chosen.explanation)


def criterion_options(name: str) -> dict[str, str]:
    """A control for every option; only what differs from the default is kept."""
    options = CRITERIA[name].settings
    chosen = {}
    for column, (key, option) in zip(st.columns(max(len(options), 1)), options.items(), strict=False):
        before = workspace.options.get(key, option.default) if name == workspace.criterion else option.default
        value = column.selectbox(
            key.capitalize(),
            option.allowed,
            index=option.allowed.index(before),
            help=option.meaning[:1].upper() + option.meaning[1:],
            key=f"option-{name}-{key}",
        )
        if value != option.default:
            chosen[key] = value
    return chosen


def explain(chosen) -> None:
    st.markdown(f"**{chosen.title}**")
    st.markdown((chosen.function.__doc__ or chosen.explanation).replace("``", "`"))
    needs = ", ".join(sorted(chosen.needs)) or "nothing but the weights"
    st.caption(f"Needs {needs} · cost: {chosen.cost}")
    st.caption(f"Source: {chosen.reference}")


def picked() -> str | None:
    """The group that was clicked in the heatmap."""
    rows = st.session_state.get("heatmap", {}).get("selection", {}).get("pick", [])
    return rows[0].get("group") if rows else None


def take_pick() -> None:
    if name := picked():
        st.session_state["group"] = name


def show_group(name: str) -> None:
    group, values = structure.groups[name], scores.groups[name]
    left, right = st.columns(2, gap="medium")
    with left:
        picture = distribution(values, removed=len(plan.remove.get(name, ())))
        frame.chart(findings.of_group(name, values), picture, "Histogram of the group's scores")
        st.caption(f"{words.KIND_HELP[group.kind].capitalize()}. {group.why}")
    with right:
        detail.maps(workspace, found, name, findings.extremes(scores.groups[name], SHOWN))


frame.heading("Flow", "Every channel's score, from the ones that hardly matter to the ones that do.", workspace)
found = frame.model_or_stop(workspace)
structure = found.structure
choose_criterion()
scores = scores_for(workspace)
if scores is None:
    st.stop()

plan = engine.plan_of(workspace.model, scores, workspace.budget)
kinds = {name: structure.groups[name].kind for name in scores.groups}
cut = {name: len(plan.remove.get(name, ())) / structure.groups[name].units for name in scores.groups}
facts = pd.DataFrame({"kind": kinds, "cut": cut})
shared = st.segmented_control(
    "Colour scale",
    ["One for all groups", "One per group"],
    default="One for all groups",
    required=True,
    key="scale",
    persist_state="session",
    help="One for all: the same score has the same colour everywhere. Per group: the order within each group shows.",
)
frame.chart(
    findings.of_heatmap(CRITERIA[workspace.criterion].title, scores.groups),
    heatmap(scores.groups, facts, shared=shared != "One per group"),
    "Heatmap of all scores, a row per group",
    key="heatmap",
    on_select=take_pick,
)
note = "Click a row to look into its group."
if workspace.budget:
    note += " The red mark is where the budget cuts: what lies left of it goes."
st.caption(note)
if scores.skipped:
    with st.expander(f"{len(scores.skipped)} groups without a score: they stay whole", icon=":material/info:"):
        for name, reason in scores.skipped.items():
            st.markdown(f"- `{name}`: {reason}")

names = list(scores.groups)
if st.session_state.get("group") not in names:
    st.session_state["group"] = names[len(names) // 2]
show_group(st.selectbox("Group", names, key="group", width=380, persist_state="session"))
frame.onward("budget", "Next: choose how many go")
