"""Targets shared out over the groups: at once where that is quick, else by a job whose result goes on the board."""

from collections.abc import Sequence

import streamlit as st

from explorer.budget import ALLOCATORS, Target
from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.methods.tools.account import reached
from explorer.ui import engine
from explorer.ui.parts import jobs
from explorer.ui.parts.measured import runtime_and_batch
from explorer.ui.state.workspace import Workspace
from pages.cut import targets
from pages.cut.view import View

KIND, TAKEN = "budget", "budget taken"  # keys of a workspace's jobs: the latest, and the latest that is on the board


def by_hand(workspace: Workspace) -> frozenset[str]:
    """The groups set by hand that sharing out leaves as they are; none where it may move them too."""
    return frozenset() if st.session_state["move by hand"] else workspace.draft.now.by_hand - workspace.locked


def share_out(view: View) -> None:
    """Puts the targets' budget on the board: at once where that is quick, else by a job. For a button's callback."""
    workspace, state, wanted = view.workspace, st.session_state, targets.asked()
    name, hand = state["allocator"], by_hand(view.workspace)
    held = view.held(hand)
    if not engine.allocation_is_quick(workspace.model, name, wanted, state["round to"]):
        _by_job(view, wanted, held)
        return
    try:
        shared = engine.allocated(
            workspace.model,
            name,
            view.scores,
            wanted,
            normalise=state["normaliser"],
            locked=held,
            round_to=state["round to"],
            blocks=workspace.blocks,
        )
    except ExplorerError as error:
        state["remark"] = (str(error),)
        return
    along = {name: part for name, part in workspace.budget.items() if name not in shared.budget}  # inside blocks
    workspace.replace(along | shared.budget, held=hand)
    state["remark"] = shared.warnings
    state["account"] = {**reached(shared), **shown(workspace), "held": sorted(hand)}


def shown(workspace: Workspace) -> dict[str, object]:
    """What the board must still show for an account to be about it."""
    return {"budget": workspace.budget, "blocks": workspace.blocks}


def _by_job(view: View, wanted: Sequence[Target], held: dict[str, int]) -> None:
    workspace, title = view.workspace, ALLOCATORS[st.session_state["allocator"]].title
    if workspace.blocks:
        st.session_state["remark"] = (
            f"{title} to these targets measures or searches with all residual blocks in the network: put them back "
            "first, or share out by another rule under How",
        )
        return
    request = {"kind": "budget", "spec": _spec(workspace, wanted).to_json(), "held": held}
    jobs.start(workspace, KIND, request, f"{title}: {workspace.model}")


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
    hand = sorted(set(job.request["held"]) - workspace.locked)
    workspace.replace({group["name"]: 1 - group["kept"] / group["size"] for group in job.result["groups"]}, held=hand)
    st.session_state["remark"] = tuple(job.result["warnings"])
    st.session_state["account"] = {**job.result, **shown(workspace), "held": hand}


def watch(workspace: Workspace) -> None:
    """The job that shares out, while it runs or where it failed."""
    jobs.refusal(KIND)
    job = jobs.find(workspace, KIND)
    if job and not job.final:
        jobs.watch(job)
    elif job and job.state != "done" and job.request["spec"]["model"] == workspace.model:
        jobs.outcome(job)
