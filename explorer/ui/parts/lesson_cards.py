"""The cards of a lesson that ask, send to a page, or explain."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from explorer.errors import ExplorerError
from explorer.learning.lessons.checking import Verdict
from explorer.learning.lessons.headless import done_for
from explorer.learning.lessons.lesson import Do, Lesson, Predict, Why
from explorer.learning.lessons.progress import Progress
from explorer.learning.lessons.reading import FOLDER, PICTURES
from explorer.learning.lessons.situation import NotYetError
from explorer.plain import plain
from explorer.runs.queue.kinds import JOBS
from explorer.ui.navigation import PAGES
from explorer.ui.parts import jobs, opening, say, stages
from explorer.ui.parts.lesson_bench import situation_of
from explorer.ui.state import session
from explorer.ui.state.share import Shared
from explorer.ui.state.workspace import Choice, Workspace


def text(sentences: str) -> None:
    """What a card says, each line a line of its own."""
    st.markdown("  \n".join(plain(line) for line in sentences.strip().splitlines()))


def predict(workspace: Workspace, lesson: Lesson, card: Predict, progress: Progress) -> None:
    """The question; an answer is kept at once, and stays as it is once it has been seen what is so."""
    st.markdown(f"**{plain(card.question)}**")
    kept = progress.answers.get(card.name)
    if kept is not None and _revealed(lesson, card, progress):
        say.caption(f"You said: {card.said(kept)}. That stays: what is so has been seen.")
        return
    key = f"lesson answer {lesson.name} {card.name}"
    if card.options is not None:
        st.radio(
            "Your prediction",
            range(len(card.options)),
            index=None if kept is None else int(kept),
            format_func=lambda place: plain(card.said(place)),
            key=key,
            label_visibility="collapsed",
            on_change=_answer,
            args=(workspace, card, key),
        )
    elif card.slider is not None:
        low, high, step = card.slider.low, card.slider.high, card.slider.step
        middle = low + round((high - low) / 2 / step) * step
        st.slider(
            "Your prediction",
            low,
            high,
            middle if kept is None else float(kept),
            step,
            format=f"%g {plain(card.slider.unit)}".replace(" %", " %%"),
            key=key,
            label_visibility="collapsed",
            on_change=_answer,
            args=(workspace, card, key),
        )
        if kept is None:
            st.button("This is my guess", key="lesson guess", on_click=_answer, args=(workspace, card, key))
    if kept is not None:
        say.caption(f"Kept: {card.said(kept)}.")


def _revealed(lesson: Lesson, card: Predict, progress: Progress) -> bool:
    """Whether what was predicted has been shown, even if it is measured anew since."""
    return any(getattr(lesson.cards[place], "of", "") == card.name for place in progress.done)


def _answer(workspace: Workspace, card: Predict, key: str) -> None:
    if workspace.lesson is not None and st.session_state.get(key) is not None:
        session.learn(workspace, workspace.lesson.answered(card, float(st.session_state[key])))


def do(workspace: Workspace, lesson: Lesson, card: Do, progress: Progress) -> None:
    """What is to be done, how that stands, and the ways to it.

    What is not shown leaves its place empty, so that nothing of before stands there while a page goes on.
    """
    place = progress.card
    model, data = lesson.about(place)
    if not is_open(workspace, model, data):
        return
    verdict = _verdict(workspace, card)
    if verdict.met and place not in progress.done:
        session.learn(workspace, progress.did(place))
    _stands(card, verdict, done=place in progress.done)
    here = st.session_state.get(session.PAGE) == card.page
    with st.container(horizontal=True, gap="small"):
        if here or card.page not in PAGES:
            st.empty()
        else:
            st.page_link(PAGES[card.page].path, label="Take me there", icon=":material/arrow_forward:")
        if card.set is None or verdict.met:
            pressed = False
            st.empty()
        else:
            pressed = st.button("Do it for me", key="lesson do it", icon=":material/auto_fix_high:")
    say.caption("" if verdict.met else card.hint)
    if pressed and _set(workspace, card, model, data):
        if here or card.page not in PAGES:
            st.rerun(scope="app")
        st.switch_page(PAGES[card.page].path)


def _stands(card: Do, verdict: Verdict, *, done: bool) -> None:
    """How far it is; a card without a check is met by looking."""
    if card.asked is not None and (verdict.met or done):
        say.success(verdict.said if verdict.met and verdict.said else "Done.", icon=":material/check:")
    elif card.asked is not None and verdict.said:
        say.info(verdict.said, icon=":material/arrow_right:")
    else:
        st.empty()


def is_open(workspace: Workspace, model: str, data: str) -> bool:
    """Whether what a card is about is open; else says so and offers it."""
    if (workspace.model, workspace.data) == (model, data):
        return True
    say.info(f"This card is about {model} on {data}.", icon=":material/schema:")
    if st.button("Open it", key="lesson open"):
        opening.ask_shared(Shared(model, data, workspace.criterion, dict(workspace.options), Choice()))
        st.rerun(scope="app")
    return False


def _verdict(workspace: Workspace, card: Do) -> Verdict:
    """How the workspace stands to what the card asks for; a card without a check is met by looking."""
    asked = card.asked
    if asked is None:
        return Verdict(True)
    try:
        return asked(situation_of(workspace, st.session_state.get(session.PAGE, "")))
    except NotYetError as later:
        return Verdict(False, later.message)
    except ExplorerError as error:
        return Verdict(False, str(error))


def _set(workspace: Workspace, card: Do, model: str, data: str) -> bool:
    """Does it for the person; False where it can't be done, which is said."""
    setting = card.set
    if setting is None:
        return False
    try:
        found = done_for(setting, situation_of(workspace, card.page), model, data)
    except NotYetError:
        say.info("The channels are being scored: try again in a moment.", icon=":material/hourglass_empty:")
        return False
    except ExplorerError as error:
        say.error(f"It can't be done for you: {error}")
        return False
    workspace.judge_by(found.criterion, found.options)
    workspace.go_to(found.choice)
    plan = stages.plan_of(workspace) if setting.train else None
    if plan is not None:
        kind, request = stages.training(model, data, plan)
        jobs.start(workspace, kind, request, f"Fine-tune a plan for {model}")
    if setting.job is not None:
        start_job(workspace, setting.job, model, data)
    return True


def start_job(workspace: Workspace, job: Mapping[str, Any], model: str, data: str) -> None:
    """Starts the job that a lesson names, unless one like it is under way."""
    kind, spec = job["kind"], {"model": model, "data": data, **job.get("spec", {})}
    key = f"lesson {kind} {stages.digest(spec)}"
    before = jobs.find(workspace, key)
    if before is None or before.final:
        jobs.start(workspace, key, {"kind": kind, "spec": spec}, f"{JOBS[kind].title}: {model}")


def why(workspace: Workspace, card: Why, progress: Progress) -> None:
    """The picture and the paper of an explanation, which is met by reading."""
    if card.picture is not None:
        st.image(str(FOLDER / PICTURES / card.picture), width="stretch", alt=card.alt)
    if card.paper is not None:
        st.link_button(plain(card.paper.cite), card.paper.url, icon=":material/article:", width="stretch")
    if progress.card not in progress.done:
        session.learn(workspace, progress.did(progress.card))
