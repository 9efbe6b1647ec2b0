"""Who reached what with how little, and the frontier of everybody's points."""

import pandas as pd
import streamlit as st

from explorer.errors import ExplorerError
from explorer.learning.classes.overview import frontier, standings
from explorer.learning.classes.records import Classroom, Student
from explorer.plain import plain
from explorer.tasks import METRICS, Metric
from explorer.ui import engine
from explorer.ui.charts import classroom as charts
from explorer.ui.parts import frame, say
from explorer.ui.state.workspace import Workspace
from pages.classroom import handed_in

ROWS = 8  # that a projector has room for
AFTER = {"none": "as cut", "bn": "repaired", "reconstruct": "repaired", "finetune": "trained"}


def show(workspace: Workspace, room: Classroom, students: list[Student]) -> None:
    if room.mission:
        handed_in.show(room)
        return
    try:
        task = engine.task(room.data, engine.opened(room.model).model)
    except ExplorerError as error:
        say.warning(f"No leaderboard: {error}", icon=":material/image_not_supported:")
        return
    metric = METRICS[task.metric]
    points = [(student.nickname, point) for student in students for point in student.seen.reached]
    if not points:
        say.info("No cut has been measured in this class yet.", icon=":material/leaderboard:")
        return
    board, picture = st.columns([2, 3], gap="large")
    with board:
        _ranks(students, metric)
    with picture:
        best = frontier(points, metric)
        table = pd.DataFrame(
            {
                "who": [who for who, _ in points],
                "macs": [100 * point.macs for _, point in points],
                "value": [point.value for _, point in points],
                "after": [AFTER.get(point.recovery, point.recovery) for _, point in points],
            }
        )
        edge = pd.DataFrame({"macs": [100 * p.macs for _, p in best], "value": [p.value for _, p in best]})
        holders = len({who for who, _ in best})
        hold = "student holds" if holders == 1 else "students hold"
        said = f"{len(points)} points, and the frontier that {holders} {hold}"
        frame.chart(said, charts.points(table, edge, metric), "Points of all students over the MACs that they leave")


def _ranks(students: list[Student], metric: Metric) -> None:
    st.markdown("### At half of the MACs, or less")
    ranked = [each for each in standings(students, metric) if each.best]
    for rank, each in enumerate(ranked[:ROWS], start=1):
        point = each.best
        st.markdown(
            f"### {int(rank)}. {plain(each.student.nickname)} · {metric.text(point.value)}  \n"
            f":small[{plain(AFTER.get(point.recovery, point.recovery))}, with {point.macs:.0%} of the MACs"
            f"{plain(_interval(point.low, point.high, metric))}]"
        )
    if not ranked:
        st.caption("Nobody is there yet.")
    say.caption(f"{metric.label} on validation samples, as everybody's board measures it.")


def _interval(low: float | None, high: float | None, metric: Metric) -> str:
    return "" if low is None or high is None else f", {metric.interval(low, high)}"
