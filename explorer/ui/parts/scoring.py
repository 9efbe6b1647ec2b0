"""Scores for a page: at once where that is quick, otherwise from a job at the desk."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from explorer.criteria import CRITERIA, Scores
from explorer.errors import ExplorerError
from explorer.runs.queue.job import Job
from explorer.ui import engine
from explorer.ui.parts import jobs, say
from explorer.ui.state.workspace import Workspace


def scores_for(workspace: Workspace) -> Scores | None:
    """The workspace's scores; None while a job computes them or its start is offered, which is drawn here."""
    model, data, criterion = workspace.model, workspace.data, workspace.criterion
    if engine.scores_are_quick(model, criterion):
        try:
            return engine.quick_scores(model, data, criterion, workspace.options)
        except ExplorerError as error:
            say.error(f"No scores: {error}", icon=":material/error:")
            return None
    return _from_desk(workspace)


def flows_for(workspace: Workspace) -> dict[str, np.ndarray] | None:
    """What flows through every unit, for the drawing of the network; None where it would take long to know."""
    data = workspace.data if workspace.data.partition("?")[0] != "random" else None
    if data is None or not engine.scores_are_quick(workspace.model, "flow"):
        return None
    try:
        return engine.quick_scores(workspace.model, data, "flow", {}).groups
    except ExplorerError:  # the criterion itself says so where it is chosen
        return None


def known(workspace: Workspace) -> Scores | None:
    """The workspace's scores if they are there already; nothing is computed and nothing drawn."""
    model, data, criterion = workspace.model, workspace.data, workspace.criterion
    found = engine.known(lambda: engine.quick_scores(model, data, criterion, workspace.options))
    if found is not None:
        return found
    job = jobs.result(workspace, _key(_spec(workspace)))
    return None if job is None else engine.known(lambda: engine.read_scores(job["file"]))


def scores_of(workspace: Workspace, model: str, data: str, criterion: str, options: Mapping[str, str]) -> Scores | Job:
    """Scores of any network: at once where that is quick, else from a job of the workspace, which is started.

    Raises:
        ExplorerError: they can't be had, or the desk refuses the job.
    """
    if engine.scores_are_quick(model, criterion):
        return engine.quick_scores(model, data, criterion, options)
    spec = {"model": model, "data": data, "criterion": criterion, "options": dict(options), "samples": engine.SAMPLES}
    key = _key(spec)
    if jobs.find(workspace, key) is None:
        jobs.start(workspace, key, {"kind": "score", "spec": spec}, f"Score {model} with {CRITERIA[criterion].title}")
    job = jobs.find(workspace, key)
    if job is None or job.state in ("failed", "cancelled"):
        why = jobs.refused(key) if job is None else job.error or job.state
        raise ExplorerError(f"the channels can't be scored by {CRITERIA[criterion].title}: {why}")
    return engine.read_scores(job.result["file"]) if job.state == "done" else job


def _spec(workspace: Workspace) -> dict[str, Any]:
    return {
        "model": workspace.model,
        "data": workspace.data,
        "criterion": workspace.criterion,
        "options": workspace.options,
        "samples": engine.SAMPLES,
    }


def _key(spec: Mapping[str, Any]) -> str:
    """What the job that computes scores is found by."""
    return "score " + " ".join(str(part) for part in (*list(spec.values())[:3], sorted(spec["options"].items())))


def _from_desk(workspace: Workspace) -> Scores | None:
    spec = _spec(workspace)
    kind = _key(spec)
    if jobs.under_way(workspace, kind):
        return None
    if (found := jobs.result(workspace, kind)) is not None:
        try:
            return engine.read_scores(found["file"])
        except ExplorerError as error:  # they are offered to be computed again
            st.caption("The scores that were computed can't be read any more.")
            st.text(str(error))
    title = CRITERIA[workspace.criterion].title
    with st.container(border=True):
        st.markdown(
            f"**{title}** has to look at {engine.SAMPLES} images, which takes a while with this model. "
            "It runs in the background; you can go on meanwhile."
        )
        st.button(
            "Score the channels",
            icon=":material/play_arrow:",
            type="primary",
            on_click=jobs.start,
            args=(workspace, kind, {"kind": "score", "spec": spec}, f"Score {workspace.model} with {title}"),
        )
    return None
