"""What is measured of every group once: accuracy by what it loses, time by its width. Each comes from a job."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from explorer.methods.latency import CHECKS, FITS, SECONDS
from explorer.methods.sensitivity import RATIOS
from explorer.runs.job import Job
from explorer.sources import Task
from explorer.ui import engine, jobs, words
from explorer.ui.workspace import Workspace


def curves_of(workspace: Workspace) -> dict[str, Any] | None:
    """The sensitivity of this model, data and criterion, once it is measured; see `explorer.methods.sensitivity`."""
    return _result(jobs.find(workspace, _curves_kind(workspace)))


def staircases_of(workspace: Workspace, runtime: str, batch: int) -> dict[str, Any] | None:
    """The times of every group by width, once they are measured; see `explorer.methods.latency.latency_of`."""
    return _result(jobs.find(workspace, _latency_kind(workspace, runtime, batch)))


def measure_curves(workspace: Workspace, task: Task | None) -> None:
    """Starts the measurement of curves, or shows how it goes; nothing where there is no accuracy to measure."""
    if task is None or not task.measured:
        st.caption("**Sensitivity** is accuracy, which this data does not have: choose data with labels.")
        return
    spec = {
        "model": workspace.model,
        "data": workspace.data,
        "criterion": workspace.criterion,
        "options": workspace.options,
        "samples": engine.SAMPLES,
    }
    one, groups = engine.forward_seconds(workspace.model), len(engine.opened(workspace.model).structure.groups)
    plans = len(RATIOS) * groups + 1
    long = "" if one is None else f", about {words.duration(one * len(task.validation) * plans)} at most"
    _offer(
        workspace,
        _curves_kind(workspace),
        {"kind": "sensitivity", "spec": spec},
        "Measure the sensitivity",
        f"What accuracy is left when one group alone loses {', '.join(f'{100 * r:.0f}' for r in RATIOS)}% of its "
        f"units: {plans} plans on {len(task.validation)} {words.samples(task)}{long}. Points are kept: what was "
        "measured before is not measured again.",
        ":material/monitoring:",
    )


def measure_staircases(workspace: Workspace, runtime: str, batch: int) -> None:
    """Starts the timing of all groups, or shows how it goes."""
    spec = {"model": workspace.model, "data": workspace.data, "runtime": runtime, "batch": batch}
    groups = len(engine.opened(workspace.model).structure.groups)
    _offer(
        workspace,
        _latency_kind(workspace, runtime, batch),
        {"kind": "latency", "spec": spec},
        "Time every group",
        f"Cuts {groups} groups to several widths each and times the networks in turns, then checks the prediction on "
        f"{CHECKS} plans that are really cut: about {words.duration(SECONDS * (groups + FITS + CHECKS))}, longer on a "
        "busy machine. Times are kept for this device.",
        ":material/timer:",
    )


def _offer(workspace: Workspace, kind: str, request: Mapping[str, Any], label: str, about: str, icon: str) -> None:
    job = jobs.find(workspace, kind)
    if job and not job.final:
        jobs.watch(job)
        return
    if job and job.state == "done":
        return
    if job:
        jobs.outcome(job)
    jobs.refusal(kind)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(label, icon=icon, on_click=jobs.start, args=(workspace, kind, request, f"{label}: {workspace.model}"))
        st.caption(about, width="stretch")


def _result(job: Job | None) -> dict[str, Any] | None:
    return job.result if job and job.state == "done" else None


def _curves_kind(workspace: Workspace) -> str:
    parts = (workspace.model, workspace.data, workspace.criterion, sorted(workspace.options.items()))
    return "sensitivity " + " ".join(map(str, parts))


def _latency_kind(workspace: Workspace, runtime: str, batch: int) -> str:
    return f"latency {workspace.model} {runtime} {batch}"
