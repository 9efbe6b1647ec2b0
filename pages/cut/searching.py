"""The best plan for the target, found by a job: it goes on the board, and the frontier among the points tried."""

from typing import Any

import streamlit as st

from explorer.board.choice import Choice
from explorer.criteria import CRITERIA
from explorer.methods.spec import Spec
from explorer.methods.studies.ways import TARGETS
from explorer.structure import Structure
from explorer.ui import engine
from explorer.ui.parts import jobs
from explorer.ui.parts.measured import runtime_and_batch
from explorer.ui.state.workspace import Point, Workspace
from pages.cut import allotting, targets
from pages.cut.view import View

KIND, TAKEN = "search", "search taken"  # keys of a workspace's jobs: the latest, and the latest that is on the board


def button(view: View) -> None:
    """The button that starts the search; it waits while one is under way."""
    job, task = jobs.find(view.workspace, KIND), view.task
    st.button(
        "Best plan",
        icon=":material/travel_explore:",
        on_click=_start,
        args=(view,),
        disabled=task is None or not task.measured or (job is not None and not job.final),
        help="Cuts to this target and to others in several ways, repairs each plan by least squares and keeps what "
        "loses least: the plan goes on the board, those for the others stand among the points tried.",
    )


def _start(view: View) -> None:
    """Asks for the search, for the callback."""
    workspace, state = view.workspace, st.session_state
    first, *further = targets.asked()
    if reason := _refused(workspace, bool(further)):
        state["remark"] = (reason,)
        return
    runtime, batch = runtime_and_batch()
    spec = Spec(
        workspace.model,
        workspace.data,
        criterion=workspace.criterion,
        options=workspace.options,
        normalise=state["normaliser"],
        samples=engine.SAMPLES,
        round_to=state["round to"],
        runtime=runtime,
        batch=batch,
    )
    request = {
        "kind": "search",
        "spec": spec.to_json(),
        "targets": [first.keep, *(target for target in TARGETS if target != first.keep)],  # the first is for the board
        "cost": first.kind,
        "held": view.held(allotting.by_hand(workspace)),
    }
    jobs.start(workspace, KIND, request, f"The best plan: {workspace.model}")


def _refused(workspace: Workspace, further: bool) -> str:
    """Why the search can't be asked for as the controls stand; empty where it can."""
    if workspace.blocks:
        return "the search repairs and judges with all residual blocks in the network: put them back first"
    if further:
        return "the search follows one cost: clear the further limits under How first"
    if st.session_state["keep"] == 100:
        return "there is nothing to search for at 100 %: ask for less than the whole"
    return ""


def take_result(workspace: Workspace, structure: Structure) -> None:
    """Puts what a finished search has found on the board and among the points tried, once.

    Only where the workspace still shows the model, data and criterion that it was asked about.
    """
    job = jobs.find(workspace, KIND)
    if job is None or job.state != "done" or workspace.jobs.get(TAKEN) == job.id:
        return
    spec = Spec.from_json(job.request["spec"])
    here = (workspace.model, workspace.data, workspace.criterion, workspace.options)
    if (spec.model, spec.data, spec.criterion, spec.options) != here:
        return
    workspace.remember(TAKEN, job.id)
    found, hand = job.result, sorted(set(job.request["held"]) - workspace.locked)
    now = workspace.draft.now
    plans = [found["tried"][place] for place in found["best"]]
    choices = [now.allotted(_budget(plan, structure), hand) for plan in plans]
    wanted = [plan["target"] for plan in plans].index(job.request["targets"][0])
    asked = workspace.setting
    criterion = plans[wanted].get("criterion", spec.criterion)
    if other := criterion != spec.criterion:
        workspace.judge_by(criterion, {})
    for plan, choice in zip(plans, choices, strict=True):
        mine = plan.get("criterion", spec.criterion)
        setting = asked if mine == spec.criterion else (workspace.data, mine)
        workspace.tried(_point(plan, choice, found, setting))
    workspace.go_to(choices[wanted])
    told = (f"the best plan goes by {CRITERIA[criterion].title}, and so does the board now",) if other else ()
    st.session_state["remark"] = (*told, *found["warnings"])
    if other:
        st.rerun()  # what stands on the page so far goes by the other criterion


def _budget(plan: dict[str, Any], structure: Structure) -> dict[str, float]:
    """The share of every group's units that a plan of the search removes."""
    return {name: lost / structure.full[name] for name, lost in plan["removed"].items()}


def _point(plan: dict[str, Any], choice: Choice, found: dict[str, Any], setting: tuple[str, ...]) -> Point:
    """A plan of the search as a point of the trail."""
    metric, whole = found["metric"], found["whole"]
    return Point(
        choice,
        setting,
        plan["recovery"],
        plan["macs"] / whole["macs"],
        plan["params"] / whole["params"],
        plan[metric],
        plan[f"{metric}_low"],
        plan[f"{metric}_high"],
    )


def watch(workspace: Workspace) -> None:
    """The search while it runs, or where it failed."""
    job = jobs.find(workspace, KIND)
    if job is None or job.request["spec"]["model"] == workspace.model:
        jobs.under_way(workspace, KIND)
