"""Where a person has been: the points tried as a picture, and the last two compared."""

from collections.abc import Hashable

import pandas as pd
import streamlit as st

from explorer.methods.studies.recovery_stages import RECOVERY_STAGES
from explorer.runs.history.facets import unbeaten
from explorer.tasks import METRICS, Task
from explorer.ui.charts import quality
from explorer.ui.parts import frame, say
from explorer.ui.state import session
from explorer.ui.state.workspace import Choice, Point, Workspace
from pages.cut import targets

KEY = "trail"


def trail(workspace: Workspace, task: Task) -> None:
    """The points of this data and criterion; a click returns to one."""
    points = [point for point in workspace.draft.trail if point.setting == workspace.setting]
    if not points:
        st.markdown("**Points tried**")
        say.caption(f"None yet: move a line and let go, and MACs against {METRICS[task.metric].short} appear here.")
        st.skeleton(height=160)
        return
    choices = list(dict.fromkeys(map(_frozen, (point.choice for point in points))))
    metric = METRICS[task.metric]
    rows = [
        {
            "number": choices.index(_frozen(point.choice)) + 1,
            "macs": point.macs,
            "value": point.value,
            "low": point.value if point.low is None else point.low,
            "high": point.value if point.high is None else point.high,
            "stage": RECOVERY_STAGES[point.recovery],
            "now": point.choice == workspace.draft.now,
        }
        for point in points
    ]
    sign = 1 if metric.higher_is_better else -1
    best = unbeaten([(row["macs"], sign * row["value"]) for row in rows])
    goal = targets.on_board()
    drawing = quality.trail(
        pd.DataFrame(rows),
        metric,
        frontier=pd.DataFrame([rows[place] for place in best])[["macs", "value"]],
        goal=goal.keep if goal and goal.kind == "macs" else None,
    )
    # Redrawn with a new identity after every return, so that the same point can be clicked again.
    key = f"{KEY} {session.revision(workspace)} {workspace.model}"
    frame.chart(
        _compared(points, task), drawing, "The points tried", key=key, on_select=lambda: _return(workspace, key, points)
    )
    said = f"{len(choices)} tried; click one to return to it. The line joins those that no other beats"
    say.caption(f"{said}, the dashes are the goal." if goal and goal.kind == "macs" else f"{said}.")


def _frozen(choice: Choice) -> Hashable:
    return tuple(sorted(choice.budget.items())), choice.locked, choice.blocks


def _return(workspace: Workspace, key: str, points: list[Point]) -> None:
    picked = st.session_state.get(key, {}).get("selection", {}).get("pick", [])
    if picked:
        choices = {_frozen(point.choice): point.choice for point in points}
        workspace.go_to(list(choices.values())[int(picked[0]["number"]) - 1])


def _compared(points: list[Point], task: Task) -> str:
    """The last choice against the one before, by the furthest recovery stage that both have reached."""
    steps: dict[Hashable, dict[str, Point]] = {}
    for point in points:
        steps.setdefault(_frozen(point.choice), {})[point.recovery] = point
    *_, now = steps.values()
    if len(steps) < 2:
        return f"One point tried: {points[0].macs:.1%} of the MACs"
    before = list(steps.values())[-2]
    common = [stage for stage in RECOVERY_STAGES if stage in before and stage in now]
    if not common:
        return f"{len(steps)} points tried"
    old, new = before[common[-1]], now[common[-1]]
    macs = f"{100 * (new.macs - old.macs):+.1f} points of MACs".replace("-", "−")
    change = METRICS[task.metric].difference(new.value - old.value)
    return f"Compared with the last: {macs}, {METRICS[task.metric].short} {change} {RECOVERY_STAGES[common[-1]]}"
