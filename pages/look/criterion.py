"""The criterion that scores are by, its options, and how it is computed."""

import streamlit as st

from explorer.criteria import CRITERIA, Criterion
from explorer.plain import plain
from explorer.ui.parts import say
from explorer.ui.state.workspace import Workspace


def choose(workspace: Workspace) -> None:
    """Asks for the criterion and its options; the explanation stands beside the choice."""
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
        options = _options(workspace, chosen)
    with right.popover("How it is computed", icon=":material/function:", width="stretch"):
        _explain(chosen)
    if (name, options) != (workspace.criterion, workspace.options):
        workspace.judge_by(name, options)
    say.caption(chosen.explanation)


def _options(workspace: Workspace, criterion: Criterion) -> dict[str, str]:
    """A control for every option; only what differs from the default is kept."""
    kept = workspace.options if criterion.name == workspace.criterion else {}
    chosen = {}
    columns = st.columns(max(len(criterion.settings), 1))
    for column, (key, option) in zip(columns, criterion.settings.items(), strict=False):
        value = column.selectbox(
            plain(key.capitalize()),
            option.allowed,
            index=option.allowed.index(kept.get(key, option.default)),
            help=plain(option.meaning[:1].upper() + option.meaning[1:]),
            key=f"option-{criterion.name}-{key}",
        )
        if value != option.default:
            chosen[key] = value
    return chosen


def _explain(criterion: Criterion) -> None:
    st.markdown(f"**{plain(criterion.title)}**")
    st.markdown((criterion.function.__doc__ or plain(criterion.explanation)).replace("``", "`"))
    needs = ", ".join(sorted(criterion.needs)) or "nothing but the weights"
    say.caption(f"Needs {needs} · cost: {criterion.cost}")
    say.caption(f"Source: {criterion.reference}")
