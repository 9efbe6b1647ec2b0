"""The card that shows what is so, beside what was predicted: measured now, or recorded with its command."""

from collections.abc import Sequence

import streamlit as st

from explorer.learning.lessons.cuts import plan_of
from explorer.learning.lessons.lesson import Lesson, Predict, Reveal
from explorer.learning.lessons.measuring import Measured, Standing, measure_all
from explorer.learning.lessons.outcome import Outcome, outcome
from explorer.learning.lessons.progress import Progress
from explorer.learning.lessons.truth import Value
from explorer.plain import plain
from explorer.ui.charts import lesson as charts
from explorer.ui.parts import lesson_cards, say
from explorer.ui.parts.lesson_bench import PageBench, situation_of
from explorer.ui.parts.lesson_cards import is_open
from explorer.ui.state import session
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words

_AGAIN = "lesson try again"  # key of a button


def reveal(workspace: Workspace, lesson: Lesson, card: Reveal, progress: Progress) -> None:
    """The prediction, the values, and what they come to."""
    place = progress.card
    asked = lesson.prediction(card.of) if card.of else None
    answer = progress.answers.get(card.of)
    if asked is not None:
        say.caption(f"You predicted: {asked.said(answer)}." if answer is not None else "You did not predict.")
    known = progress.revealed.get(place)
    if known is None:
        known = _found(workspace, lesson, card, place)
        if known is None:
            return
        session.learn(workspace, progress.saw(place, known))
    _picture(card, known, answer if asked is not None and asked.slider is not None else None)
    _told(card, known, asked, answer)
    _source(workspace, card, place, known)


def _found(workspace: Workspace, lesson: Lesson, card: Reveal, place: int) -> tuple[Measured, ...] | None:
    """All values; None as long as some are measured, which is shown."""
    if card.recording is not None:
        return card.recording.measured()
    model, data = lesson.about(place)
    needs_it = any("workspace" in (each.plan, each.against) for each in card.measure)
    if needs_it and not is_open(workspace, model, data):
        return None
    again = st.session_state.get(_AGAIN, False)
    situation = situation_of(workspace, st.session_state.get(session.PAGE, ""), again=again)
    standing = measure_all(card.measure, situation, model, data, lesson.criterion)
    if standing.complete:
        return standing.found
    _under_way(workspace, lesson, card, place, standing)
    return None


def _under_way(workspace: Workspace, lesson: Lesson, card: Reveal, place: int, standing: Standing) -> None:
    """What is measured already, how far the rest is, and what has to be started or can't be had."""
    labels = {each.name: each for each in card.measure}
    for each in standing.found:
        st.markdown(f"{plain(each.label)}: **{plain(each.text())}**")
    for name, later in standing.waiting.items():
        label = labels[name].label
        if later.offer:
            if later.message:
                say.caption(words.sentence(later.message))
            if st.button(f"Train it: {plain(label)}", key=f"lesson train {name}", icon=":material/model_training:"):
                model, data = lesson.about(place)
                situation = situation_of(workspace, "")
                plan = plan_of(labels[name].plan, situation, model, data, lesson.criterion)
                PageBench(workspace).train(model, data, plan)
        else:
            said = f"{label}: {later.message}" if later.message else label
            st.progress(min(later.fraction, 1.0), text=plain(said))
    for name, reason in standing.failed.items():
        say.warning(f"{labels[name].label}: {words.sentence(reason)}")
    if standing.failed:
        st.button("Try again", key=_AGAIN, icon=":material/refresh:")


def _picture(card: Reveal, known: Sequence[Measured], guess: float | None) -> None:
    about = f"{card.title}: " + ", ".join(f"{each.label} {each.text()}" for each in known)
    if card.picture == "lines" and card.recording is not None and card.recording.lines:
        st.altair_chart(charts.lines(card.recording), alt=about)
    elif card.picture == "classes" and known[0].parts:
        st.altair_chart(charts.parts(known[0]), alt=about)
    elif card.picture == "bars" and len({each.unit for each in known}) == 1:
        named = card.truth.of if isinstance(card.truth, Value) else ""
        st.altair_chart(charts.bars(known, guess, named), alt=about)
        return
    for each in known:
        st.markdown(f"{plain(each.label)}: **{plain(each.text())}**")
        if card.picture == "layers" and each.parts:
            say.caption(", ".join(name for name, _ in each.parts))


def _told(card: Reveal, known: Sequence[Measured], asked: Predict | None, answer: float | None) -> None:
    """Whether the prediction was right, and what there is to be said."""
    found: Outcome | None = None
    if asked is not None and card.truth is not None and answer is not None:
        found = outcome(card.truth, asked, answer, known)
        show = say.success if found.right else say.info
        show(found.said, icon=":material/check:" if found.right else ":material/compare_arrows:")
    values = {each.name: each.text() for each in known}
    for text in (card.then, "" if found is None else card.right if found.right else card.wrong):
        if text:
            lesson_cards.text(text.format(**values))


def _source(workspace: Workspace, card: Reveal, place: int, known: Sequence[Measured]) -> None:
    """Where the values come from, and the way to measure again."""
    if card.recording is not None:
        say.caption(f"Recorded on {card.recording.date}. {card.recording.about}")
        st.code(card.recording.command, language="shell", wrap_lines=True)
        return
    said = dict.fromkeys(each.about for each in known if each.about)
    if len(said) == 1:
        say.caption(f"Measured here: {next(iter(said))}.")
    else:
        for each in known:
            say.caption(f"{each.label}: {each.about}")
    if st.button("Measure again", key="lesson measure", type="tertiary", help="For what is cut now"):
        progress = workspace.lesson
        if progress is not None:
            session.learn(workspace, progress.forgot(place))
            st.rerun(scope="app")
