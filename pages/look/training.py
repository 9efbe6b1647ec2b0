"""The drawer in which a network that does not fit the data yet is trained on it."""

from dataclasses import dataclass

import streamlit as st

from explorer.methods import METHODS, Spec
from explorer.methods.train import epochs_of
from explorer.plain import plain
from explorer.runs.queue.job import Job
from explorer.tasks import Task
from explorer.ui import engine
from explorer.ui.engine import Opened
from explorer.ui.parts import estimate, jobs, learning, opening, say, standing
from explorer.ui.state import session
from explorer.ui.state.forms import kept
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import tables, words


@dataclass(frozen=True)
class Misfit:
    """A network and data that it does not know.

    Args:
        data: the ref of the data.
        task: the data; where the network can't take it as it is, as it is by itself.
        why: what is missing, in a sentence.
        new_head: whether the network is given a new last layer.
    """

    data: str
    task: Task
    why: str
    new_head: bool = False


def show(workspace: Workspace, opened: Opened, task: Task | None) -> None:
    """The training under way and what came of it, else the offer to train, where there is something to be learnt."""
    job = jobs.find(workspace, jobs.TRAIN)
    if job is not None and job.request["spec"]["model"] != workspace.model:
        job = None
    if job is not None and not job.final:
        jobs.watch(job, learning.curve)
        return
    if job is not None:
        _ended(workspace, job)
    jobs.refusal(jobs.TRAIN)
    if (misfit := _misfit(workspace, opened, task)) is None:
        return
    again = job is not None and job.state == "done" and job.request["spec"]["data"] == misfit.data
    with st.expander("Train it again, from its beginning") if again else st.container(border=True):
        _offer(workspace, opened, misfit)


def _misfit(workspace: Workspace, opened: Opened, task: Task | None) -> Misfit | None:
    """What there is to be learnt; None where the network knows its data, or there is none with labels."""
    data = opening.proposed() or (workspace.data if task is None else None)
    if data:
        alone = engine.data_alone(data)
        if alone is None or not alone.measured or alone.kind != opened.model.kind:
            return None
        why = f"{data} has {len(alone.classes)} classes, and the network was made for {opened.model.classes}."
        return Misfit(data, alone, why, new_head=True) if len(alone.classes) != opened.model.classes else None
    if task is None or not task.measured or (found := standing.guessing(workspace)) is None:
        return None
    return Misfit(workspace.data, task, found.why)


def _offer(workspace: Workspace, opened: Opened, misfit: Misfit) -> None:
    """How long it is trained, what that takes, and the button."""
    trained = opened.model.trained
    head = " Training gives it a new last layer for these; all else begins with the weights that it has."
    st.markdown(f"**Train on this data.** {plain(misfit.why)}{head if misfit.new_head else ''}")
    usual = epochs_of(Spec(workspace.model, misfit.data), trained)
    left, right = st.columns([1, 3], vertical_alignment="bottom")
    key = f"epochs of training, {trained}"
    epochs = int(left.number_input("Epochs", 1, 1000, usual, key=kept(key), persist_state="session"))
    alone = trained and right.checkbox(
        "Only the last layer learns",
        key=kept("only the last layer"),
        persist_state="session",
        help="Faster, and enough where the pictures are like those that the network was trained on.",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Train it on this data",
            type="primary",
            icon=":material/model_training:",
            on_click=_start,
            args=(workspace, misfit.data, epochs, alone),
        )
        seconds = estimate.fitting_seconds(workspace.model, misfit.task, epochs, head_alone=alone)
        say.caption(
            f"{len(misfit.task.train):,} training {words.samples(misfit.task)}; "
            + (
                "a pass takes too long to be timed here, the time left is told as it goes."
                if seconds is None
                else f"about {words.duration(seconds)} at most, from a forward pass timed here."
            ),
            width="content",
        )


def _start(workspace: Workspace, data: str, epochs: int, alone: bool) -> None:
    asked = {"method": "train", **METHODS["train"].defaults, "epochs": epochs}
    spec = Spec(workspace.model, data, **asked).with_settings(freeze="body" if alone else None)
    jobs.start(workspace, jobs.TRAIN, spec, f"Train {workspace.model} on {data}")


def _ended(workspace: Workspace, job: Job) -> None:
    """What came of a training, and the way on with the trained network."""
    if job.state != "done":
        jobs.outcome(job)
        return
    base, trained = job.result["base"], job.result["pruned"]
    with st.container(border=True):
        st.markdown(
            f"**Trained**: {plain(tables.quality(trained))} on test data, before it was {plain(tables.quality(base))}."
        )
        for sentence in job.result["warnings"]:
            say.warning(words.sentence(sentence), icon=":material/warning:")
        st.button(
            "Go on with the trained network",
            type="primary",
            icon=":material/arrow_forward:",
            on_click=_go_on,
            args=(workspace, job),
        )


def _go_on(workspace: Workspace, job: Job) -> None:
    ref = session.permitted(f"run:{job.bundle}", workspace)
    workspace.choose(ref, job.request["spec"]["data"])
    opening.propose(None)
