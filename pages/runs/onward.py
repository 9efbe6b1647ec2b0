"""Where the next run could begin: the tree of runs, and one point of it on the board or as a branch."""

from collections.abc import Sequence

import streamlit as st

from explorer.errors import ExplorerError
from explorer.runs.history.lineage import Branch
from explorer.ui.charts import comparison
from explorer.ui.navigation import path_to
from explorer.ui.parts import compared, frame, say, sharing
from explorer.ui.parts.compared import Shown
from explorer.ui.state import session
from explorer.ui.state.share import Shared
from explorer.ui.state.workspace import Workspace

RUN, STEP = "looked at", "looked at step"
END = "the end"


def family(forest: Sequence[Branch], shown: Sequence[Shown], chosen: Sequence[Shown]) -> None:
    """The tree of runs; a click on a point looks at it."""
    st.subheader("The tree of runs", anchor=False)
    nodes, ties = compared.tree_frames(forest, shown)
    count = nodes.run.nunique()
    branches = f"{len(ties)} of them branched off another" if len(ties) else "none of them branched off another yet"
    frame.chart(
        f"{count} {'run' if count == 1 else 'runs'}, {branches}",
        comparison.family(nodes, ties, compared.colours_of(chosen)),
        "The runs as a tree",
        key="tree",
        on_select=_look,
    )
    st.caption(
        "Every row is a run, from right to left as the network shrinks, which zeros don't do. Click a point to look at "
        "it."
    )


def _look() -> None:
    picked = st.session_state["tree"].get("selection", {}).get("pick", [])
    if picked:
        step = int(picked[0]["step"])
        st.session_state[RUN], st.session_state[STEP] = picked[0]["run"], END if step < 0 else step


def go_on(workspace: Workspace, shown: Sequence[Shown]) -> None:
    """One run or step of it: on the board, or as the beginning of another run."""
    st.subheader("Go on from a run", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Run", [entry.name for entry in shown], key=RUN, width=430)
        entry = compared.named(shown, name)
        ref = _choose_point(entry)
        opened = st.button(
            "Open this run on the board",
            icon=":material/tune:",
            disabled=not entry.cut_channels,
            help=None if entry.cut_channels else "It cut no channels, which is all that the board shows.",
        )
        branched = st.button("Branch from here", icon=":material/fork_right:", type="primary")
    st.caption(
        "The board shows how much of every group the run removed; which channels stand there follows from the board's "
        "own scores. A branch begins with the network as it was at that point, weights and all."
    )
    if getattr(entry.run.plan, "blocks", ()):
        st.caption("This run also removed whole blocks. The board shows widths only.")
    if opened:
        _open_on_board(workspace, entry)
    if branched:
        _branch(workspace, ref, entry.spec.data)


def _branch(workspace: Workspace, ref: str, data: str) -> None:
    """Goes on from a run's network, on the data that its report names, if a browser may name both."""
    try:
        workspace.choose(session.permitted(ref, workspace), session.permitted(data, workspace))
    except ExplorerError as error:
        say.error(error, icon=":material/error:")
    else:
        st.switch_page(path_to("recover"))


def _choose_point(entry: Shown) -> str:
    """Asks for a step of the run whose network is kept, or its end; gives the model ref of that network."""
    steps = {step["step"]: step["ref"] for step in entry.record.steps if step.get("ref") and not step["rolled_back"]}
    if st.session_state.get(STEP) not in (END, *steps):
        st.session_state[STEP] = END
    step = st.selectbox(
        "At", [END, *steps], key=STEP, format_func=lambda at: at if at == END else f"step {at}", width=130
    )
    return entry.record.ref if step == END else steps[step]


def _open_on_board(workspace: Workspace, entry: Shown) -> None:
    spec = entry.spec
    shared = Shared(spec.model, spec.data, spec.criterion, spec.options, remove=dict(entry.run.plan.remove))
    try:
        sharing.adopt(workspace, shared)
    except ExplorerError as error:
        say.error(f"This run can't be opened on the board: {error}", icon=":material/error:")
        return
    st.switch_page(path_to("cut"))
