"""The mission that is played: what it asks for, its link, and everybody's points."""

import pandas as pd
import streamlit as st

from explorer.learning.missions.facts import END, STAGES
from explorer.learning.missions.goal import GOALS
from explorer.learning.missions.mission import Mission
from explorer.learning.missions.points import Point, best, frontier
from explorer.plain import plain
from explorer.tasks import METRICS
from explorer.ui.charts.missions import everybody
from explorer.ui.navigation import path_to
from explorer.ui.parts import frame, mission_link, mission_play, mission_words, say, sharing
from explorer.ui.state.share import PARAMETER
from explorer.ui.state.workspace import Workspace

TRIES = 20  # of one's own, in the table


def show(workspace: Workspace, mission: Mission) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(f":material/flag: {plain(mission.title)}", anchor=False)
            st.page_link(path_to("cut"), label="To the board", icon=":material/arrow_forward:")
        metric = mission_words.metric_of(mission)
        st.markdown("  \n".join(f":material/flag: {plain(goal.says(metric))}" for goal in mission.goals))
        say.caption(mission_words.rules(mission))
        say.caption(
            "The panel beside every page shows how you stand and has the button to hand in: only then is your network "
            f"checked, on at most {mission.hidden:,} hidden test samples."
        )
        with st.expander("Give it to others", icon=":material/share:"):
            st.code(mission_link.address_of(mission), language=None, wrap_lines=True, height=96)
        _points(workspace, mission)


def _points(workspace: Workspace, mission: Mission) -> None:
    found, who = mission_play.everybody(workspace, mission), mission_play.player(workspace).who
    if not found:
        st.caption("Nobody has handed in anything here yet.")
        return
    metric = METRICS[found[-1].metric]
    edge = frontier(found, mission.cost, higher=metric.higher_is_better)
    own = [point for point in found if point.who == who]
    drawing = everybody(found, edge, who, mission.cost, metric, _limits(mission, metric.name))
    frame.chart(_finding(own, edge, found, mission), drawing, "Everybody's points: cost against the metric")
    say.caption(
        "Dashed are the goals. Filled points meet all of them; bars are 95% intervals. No point beats the line."
    )
    if own:
        _own(own, mission)


def _limits(mission: Mission, metric: str) -> tuple[float | None, float | None]:
    """What the goals ask of the cost that is drawn, and of the metric of what is handed in."""
    cost = value = None
    for goal in mission.goals:
        kind = GOALS[goal.kind]
        name = kind.entered(metric)[0]
        if kind.cost == mission.cost:
            cost = goal.settings[name]
        elif kind.metered and name == "at_least" and goal.settings["after"] == END:
            value = goal.settings[name]
    return cost, value


def _finding(own: list[Point], edge: list[Point], found: list[Point], mission: Mission) -> str:
    """What the picture says, of the person or of all."""
    people = len({point.who for point in found})
    of = f"{len(found)} {'point' if len(found) == 1 else 'points'} of {people} {'person' if people == 1 else 'people'}"
    mine = best(own, mission.cost)
    if mine is None:
        return of
    if len(found) == 1:
        return f"The first point here: {mission_words.cost(mine, mission.cost)} at {mission_words.value(mine)}"
    on = "on the frontier" if mine in edge else "behind the frontier"
    return f"Your best, {mission_words.cost(mine, mission.cost)} at {mission_words.value(mine)}, is {on} of {of}"


def _own(own: list[Point], mission: Mission) -> None:
    """One's own tries, the latest first, each with the way back to its cut."""
    rows = pd.DataFrame(
        {
            "Try": [point.tries for point in own],
            "Goals met": [f"{point.met} of {point.goals}" for point in own],
            "Judged": [STAGES[point.stage] for point in own],
            "Cost": [mission_words.cost(point, mission.cost) for point in own],
            "Reached": [mission_words.value(point) for point in own],
            "Cut": [
                f"{sharing.address().rpartition('/')[0]}/cut?{PARAMETER}={point.state}" if point.state else None
                for point in own
            ],
        }
    )
    with st.expander(plain(f"Your tries: {mission_words.tries(own)}"), icon=":material/history:"):
        st.dataframe(
            rows.iloc[::-1].head(TRIES),
            hide_index=True,
            column_config={"Cut": st.column_config.LinkColumn("Cut", display_text="open")},
            alt="Your tries at the mission",
        )
