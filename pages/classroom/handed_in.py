"""The leaderboard of a class that plays a mission: what was handed in, as it did on hidden test data."""

from collections import defaultdict

import pandas as pd
import streamlit as st

from explorer.errors import ExplorerError
from explorer.learning.classes.records import Classroom
from explorer.learning.missions.facts import STAGES
from explorer.learning.missions.mission import Mission, read_mission
from explorer.learning.missions.points import Point, best, frontier, points
from explorer.plain import plain
from explorer.tasks import METRICS
from explorer.ui import engine
from explorer.ui.charts import classroom as charts
from explorer.ui.parts import frame, mission_play, mission_words, say

ROWS = 8  # that a projector has room for


def show(room: Classroom) -> None:
    try:
        mission = read_mission(room.mission)
        whole = engine.opened(mission.model).structure.cost().macs
    except ExplorerError as error:
        say.warning(f"No leaderboard: {error}", icon=":material/block:")
        return
    found = points(mission_play.store(), mission, room.code)
    if not found:
        say.info("Nobody has handed in anything yet.", icon=":material/leaderboard:")
        return
    board, picture = st.columns([2, 3], gap="large")
    with board:
        _ranks(mission, found)
    with picture:
        _picture(found, whole)


def bests(room: Classroom) -> dict[str, Point]:
    """The best that each student has handed in for the class's mission, by the nickname."""
    if not room.mission:
        return {}
    try:
        mission = read_mission(room.mission)
    except ExplorerError:  # of another version
        return {}
    return _bests(mission, points(mission_play.store(), mission, room.code))


def _bests(mission: Mission, found: list[Point]) -> dict[str, Point]:
    own: dict[str, list[Point]] = defaultdict(list)
    for point in found:
        own[point.who].append(point)
    kept = {who: best(handed, mission.cost) for who, handed in own.items()}
    return {who: point for who, point in kept.items() if point is not None}


def _ranks(mission: Mission, found: list[Point]) -> None:
    """Who meets most goals; of those the cheapest, as `missions.points.best` has it."""
    left, rank = list(_bests(mission, found).values()), 0
    st.markdown(f"### {plain(mission.title)}")
    while left and rank < ROWS:
        point = best(left, mission.cost)
        if point is None:
            break
        left.remove(point)
        rank += 1
        cost, value = mission_words.cost(point, mission.cost), mission_words.value(point)
        said = f"{point.met} of {point.goals} goals, {cost}, {value}"
        st.markdown(f"### {int(rank)}. {plain(point.who)}  \n:small[{plain(said)}]")
    say.caption("On hidden test data, which nobody has tuned on.")


def _picture(found: list[Point], whole: int) -> None:
    metric = METRICS[found[-1].metric]
    judged = [point for point in found if point.value is not None]
    if not judged:
        return
    edge = frontier(judged, "macs", higher=metric.higher_is_better)
    table = pd.DataFrame(
        {
            "who": [point.who for point in judged],
            "macs": [100 * point.macs / max(whole, 1) for point in judged],
            "value": [point.value for point in judged],
            "after": [STAGES.get(point.stage, point.stage) for point in judged],
        }
    )
    line = pd.DataFrame({"macs": [100 * p.macs / max(whole, 1) for p in edge], "value": [p.value for p in edge]})
    holders = len({point.who for point in edge})
    said = f"{len(judged)} networks handed in, and the frontier that {holders} {'holds' if holders == 1 else 'hold'}"
    frame.chart(said, charts.points(table, line, metric), "Networks handed in over the MACs that they leave")
