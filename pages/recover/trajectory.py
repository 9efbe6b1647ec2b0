"""A run that cuts in steps, on the page: where it is between cost and accuracy, and what is left of every group."""

import time
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from explorer.runs.history.trajectory import Step, trajectory
from explorer.runs.queue.job import Job
from explorer.tasks import Metric
from explorer.ui.charts import gradual
from explorer.ui.parts import frame
from explorer.ui.text import findings, words

NEWEST = 200


def show(job: Job) -> None:
    """The trajectory, the widths over the steps, and the events; nothing before the base model is measured."""
    metric, steps = trajectory(job)
    if not steps:
        if not job.final:
            st.caption("The first point appears once the base model is measured; every step adds one.")
        return
    spec = job.request["spec"]
    kind, target = next(iter((spec["keep"] or {"macs": None}).items()))
    limit = steps[0].value - spec["max_drop"]
    drawing = gradual.trajectory(_points(steps), metric, kind=kind, limit=limit, target=target)
    frame.chart(
        findings.of_trajectory(steps, metric, kind), drawing, "Cost kept against the validation metric, step by step"
    )
    st.caption(
        "Filled: the network after a step's recovery. Grey: right after its cut; a line that leaves the picture leads "
        "to one far lower. Hollow: a step that fell below the limit and was taken back. Judged on validation data; the "
        "test data is kept for the end."
    )
    if len(steps) > 1:
        _scrubbed(job, steps)
    with st.expander("Every step in numbers", icon=":material/table_rows:"):
        st.dataframe(_table(steps, metric), hide_index=True, width="stretch")
    with st.expander("Events", icon=":material/list:"):
        st.dataframe(_events(job), hide_index=True, width="stretch", height=260)


def _points(steps: Sequence[Step]) -> pd.DataFrame:
    whole = steps[0]
    rows = [
        {
            "step": step.number,
            "macs": step.macs / whole.macs,
            "params": step.params / whole.params,
            "value": step.value,
            "before": step.before,
            "place": "base model" if step is whole else "taken back" if step.rolled_back else "recovered",
        }
        for step in steps
    ]
    return pd.DataFrame(rows).astype({"before": float})


def _scrubbed(job: Job, steps: Sequence[Step]) -> None:
    """All widths over the steps beside those of one of them; a new step is followed unless a person looks back."""
    key, seen = f"step {job.id}", f"newest step {job.id}"
    last = steps[-1].number
    if st.session_state.get(key) == st.session_state.get(seen):
        st.session_state[key] = last
    st.session_state[seen] = last
    chosen = st.select_slider(
        "Step",
        [step.number for step in steps],
        key=key,
        format_func=lambda number: "base" if number == 0 else str(number),
        help="Arrow keys move it too.",
    )
    step = next(step for step in steps if step.number == chosen)
    table = _widths(steps)
    left, right = st.columns(2, gap="medium")
    with left:
        frame.chart(findings.of_widths(table), gradual.width_map(table, chosen), "What is left of every group, by step")
    with right:
        now = table[table.step == chosen]
        title = "The base model" if chosen == 0 else f"After step {chosen}{', taken back' if step.rolled_back else ''}"
        kept, size = int(now.kept.sum()), int(now["size"].sum())
        frame.chart(f"{title}: {kept:,} of {size:,} channels", gradual.rows(now), "Channels left of every group")


def _widths(steps: Sequence[Step]) -> pd.DataFrame:
    whole = steps[0].kept
    rows = [
        {
            "group": name,
            "step": step.number,
            "kept": kept,
            "size": whole[name],
            "share": kept / whole[name],
            "taken_back": step.rolled_back,
        }
        for step in steps
        for name, kept in step.kept.items()
    ]
    return pd.DataFrame(rows)


def _table(steps: Sequence[Step], metric: Metric) -> pd.DataFrame:
    before = [None, *steps[:-1]]
    return pd.DataFrame(
        {
            "Step": ["base" if step.number == 0 else str(step.number) for step in steps],
            "MACs": [words.count(step.macs) for step in steps],
            "MACs kept": [f"{step.macs / steps[0].macs:.1%}" for step in steps],
            "Parameters kept": [f"{step.params / steps[0].params:.1%}" for step in steps],
            f"{metric.short} as cut": ["" if step.before is None else metric.text(step.before) for step in steps],
            f"{metric.short} recovered": [metric.text(step.value) for step in steps],
            "Outcome": [_outcome(step) for step in steps],
            "Took": [
                "" if old is None else words.duration(step.time - old.time)
                for old, step in zip(before, steps, strict=True)
            ],
        }
    )


def _outcome(step: Step) -> str:
    return "base model" if step.number == 0 else "taken back" if step.rolled_back else "kept"


def _events(job: Job) -> pd.DataFrame:
    """What the run has told, newest first."""
    told = sorted([*job.points, *job.history], key=lambda entry: entry["time"], reverse=True)[:NEWEST]
    rows = [{"Time": _clock(entry["time"]), "What": words.sentence(entry["message"])} for entry in told]
    ends = [{"Time": "", "What": words.sentence(sentence)} for sentence in job.warnings]
    return pd.DataFrame([*ends, *rows])


def _clock(seconds: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds))
