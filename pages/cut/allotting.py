"""Targets shared out over the groups: at once where that is quick, else by a job whose result goes on the board."""

from collections.abc import Mapping, Sequence

import streamlit as st

from explorer.budget import ALLOCATORS, Target
from explorer.criteria import Scores
from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.methods.tools.account import reached
from explorer.ui import engine
from explorer.ui.parts import jobs
from explorer.ui.parts.measured import runtime_and_batch
from explorer.ui.state.workspace import Workspace
from pages.cut import targets

KIND, TAKEN = "budget", "budget taken"  # keys of a workspace's jobs: the latest, and the latest that is on the board


def share_out(workspace: Workspace, scores: Scores, held: Mapping[str, int]) -> None:
    """Puts the targets' budget on the board: at once where that is quick, else by a job. For a button's callback."""
    state, wanted = st.session_state, targets.asked()
    name, round_to = state["allocator"], state["round to"]
    if not engine.allocation_is_quick(workspace.model, name, wanted, round_to):
        request = {"kind": "budget", "spec": _spec(workspace, wanted).to_json(), "held": dict(held)}
        jobs.start(workspace, KIND, request, f"{ALLOCATORS[name].title}: {workspace.model}")
        return
    try:
        shared = engine.allocated(
            workspace.model,
            name,
            scores,
            wanted,
            normalise=state["normaliser"],
            locked=held,
            round_to=round_to,
        )
    except ExplorerError as error:
        state["remark"] = (str(error),)
        return
    workspace.replace(shared.budget)
    state["remark"] = shared.warnings
    state["account"] = {**reached(shared), "budget": workspace.budget}


def _spec(workspace: Workspace, wanted: Sequence[Target]) -> Spec:
    state = st.session_state
    runtime, batch = runtime_and_batch()
    return Spec(
        workspace.model,
        workspace.data,
        criterion=workspace.criterion,
        options=workspace.options,
        allocate=state["allocator"],
        normalise=state["normaliser"],
        keep={target.kind: target.value for target in wanted},
        samples=engine.SAMPLES,
        round_to=state["round to"],
        runtime=runtime,
        batch=batch,
    )


def take_result(workspace: Workspace) -> None:
    """Puts what a finished job has found on the board, once, if the board still shows what it was asked about."""
    job = jobs.find(workspace, KIND)
    if job is None or job.state != "done" or workspace.jobs.get(TAKEN) == job.id:
        return
    spec = Spec.from_json(job.request["spec"])
    workspace.remember(TAKEN, job.id)
    here = (workspace.model, workspace.data, workspace.criterion, workspace.options)
    if (spec.model, spec.data, spec.criterion, spec.options) != here:
        return
    workspace.replace({group["name"]: 1 - group["kept"] / group["size"] for group in job.result["groups"]})
    st.session_state["remark"] = tuple(job.result["warnings"])
    st.session_state["account"] = {**job.result, "budget": workspace.budget}


def watch(workspace: Workspace) -> None:
    """The job that shares out, while it runs or where it failed."""
    jobs.refusal(KIND)
    job = jobs.find(workspace, KIND)
    if job and not job.final:
        jobs.watch(job)
    elif job and job.state != "done" and job.request["spec"]["model"] == workspace.model:
        jobs.outcome(job)
