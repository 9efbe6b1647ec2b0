"""The mission that is played, beside every page: its goals, how they stand by the hand, and the button to hand in."""

import streamlit as st

from explorer.learning.missions.goal import Goal, Standing
from explorer.learning.missions.mission import Mission
from explorer.plain import plain
from explorer.ui.navigation import path_to
from explorer.ui.parts import jobs, mission_facts, mission_link, mission_play, mission_words, say
from explorer.ui.parts.mission_play import BOARD, Attempt
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words

DONE, OPEN, MISSED = (
    ":green[:material/check_circle:]",
    ":material/radio_button_unchecked:",
    ":red[:material/cancel:]",
)
OFTEN = 1.0  # seconds between two looks while something is under way


def panel(workspace: Workspace) -> bool:
    """Draws it; nothing where no mission is played."""
    if workspace.mission is None:
        return False
    going = _under_way(workspace)

    def draw() -> None:
        mission = workspace.mission
        if mission is None:  # another tab has left it
            st.rerun(scope="app")
        _mission(workspace, mission)
        if going != _under_way(workspace):
            st.rerun(scope="app")

    st.fragment(draw, run_every=OFTEN if going else None)()
    return True


def _under_way(workspace: Workspace) -> bool:
    attempt = mission_play.follow(workspace)
    return attempt is not None and not attempt.over


def _mission(workspace: Workspace, mission: Mission) -> None:
    with st.container(gap="small", key="mission panel"):
        rules = plain(mission_words.rules(mission))
        st.subheader(f":material/flag: {plain(mission.title)}", anchor=False, help=rules)
        if mission_play.is_open(workspace, mission):
            mission_play.lock(workspace, mission)
            _goals(workspace, mission)
            _hand_in(workspace, mission)
        else:
            _elsewhere(workspace, mission)
        _outcome(workspace, mission)
        _record(workspace, mission)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link(path_to("missions"), label="All missions", icon=":material/list:")
            st.button("Leave", type="tertiary", key="leave mission", on_click=mission_play.play, args=(workspace, None))


def _goals(workspace: Workspace, mission: Mission) -> None:
    """Each goal with what the workspace knows of it."""
    known = mission_facts.facts(workspace, mission.end, mission.timings())
    metric = known.metric if known is not None else mission_words.metric_of(mission)
    for goal in mission.goals:
        standing = Standing(None) if known is None else goal.standing(known)
        st.markdown(_live(goal, standing, metric))
    st.caption("By the board's own samples, as you go.")
    if mission.locked or mission.criteria or not mission.tools:
        say.caption(mission_words.rules(mission))


def _hand_in(workspace: Workspace, mission: Mission) -> None:
    """The button, or how the check goes."""
    attempt = mission_play.follow(workspace)
    if attempt is not None and not attempt.over:
        asked = mission_play.asked_for(workspace, attempt)
        said = "" if asked is None else asked.message
        st.progress(0.0 if asked is None else asked.fraction, text=plain(f"Checking: {said}"))
        return
    runs = {job.id: jobs.name_of(job) for job in mission_play.runs(workspace, mission)}
    run = BOARD
    if runs:
        run = st.selectbox(
            "What you hand in",
            [BOARD, *runs],
            format_func=lambda id: runs.get(id, "The cut on the board"),
            key=f"handed in {mission.id}",
        )
    st.button(
        "Hand in",
        icon=":material/task_alt:",
        type="primary",
        width="stretch",
        key="hand in",
        on_click=mission_play.hand_in,
        args=(workspace, run),
        help="Checks it on test data that nobody tunes on. Each network that you hand in counts as a try.",
    )


def _elsewhere(workspace: Workspace, mission: Mission) -> None:
    say.caption(f"It is about {mission.model} on {mission.data}, and another network is open.")
    if st.button("Open its network", icon=":material/folder_open:", width="stretch", key="open mission"):
        mission_link.begin(workspace, mission)
        st.rerun(scope="app")


def _outcome(workspace: Workspace, mission: Mission) -> None:
    """What came of the last attempt."""
    attempt: Attempt | None = workspace.attempt
    if attempt is None or not attempt.over or attempt.mission != mission:
        return
    if attempt.error:
        say.error(words.sentence(attempt.error), icon=":material/block:")
        return
    verdict = attempt.verdict
    assert verdict is not None
    with st.container(border=True, gap="xsmall"):
        said = "All goals are met" if verdict.done else f"{verdict.met:d} of {len(verdict.goals):d} goals are met"
        st.markdown(f"**{said}**")
        for goal, standing in verdict.goals:
            st.markdown(_judged(goal, standing, verdict.facts.metric))
        reached = verdict.facts.reached()
        samples = f"on {reached.samples:,} hidden samples" if reached is not None else "on hidden samples"
        again = "; you had handed in this network before" if attempt.again else ""
        say.caption(f"Checked {samples}{again}.")


def _live(goal: Goal, standing: Standing, metric: str) -> str:
    """A goal as a line of Markdown: whether it is met so far, what it asks for, and what there is."""
    now = f"  \nnow **{plain(standing.text)}**" if standing.text else ""
    note = f"  \n:small[{plain(standing.note)}]" if standing.note else ""
    return f"{DONE if standing.met else OPEN} {plain(goal.says(metric))}{now}{note}"


def _judged(goal: Goal, standing: Standing, metric: str) -> str:
    """A goal that was checked as a line of Markdown: met or missed, what it asks for, and what was reached."""
    reached = f": **{plain(standing.text)}**" if standing.text else ""
    note = f"  \n:small[{plain(standing.note)}]" if standing.note else ""
    return f"{DONE if standing.met else MISSED} {plain(goal.says(metric))}{reached}{note}"


def _record(workspace: Workspace, mission: Mission) -> None:
    """The personal best beside the number of tries."""
    own = mission_play.own(workspace, mission)
    found = mission_play.best(own, mission.cost)
    if found is None:
        return
    goals = "all goals" if found.done else f"{found.met} of {found.goals} goals"
    costs = mission_words.cost(found, mission.cost)
    say.caption(f"Your best: {goals}, {costs}, {mission_words.value(found)}. {mission_words.tries(own)}.")
