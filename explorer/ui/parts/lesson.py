"""The lesson that stands beside the pages: where it is, its card, and the way on; it watches the same workspace."""

import streamlit as st

from explorer.errors import ExplorerError
from explorer.learning.lessons.lesson import Do, Lesson, Predict, Reveal, Why
from explorer.learning.lessons.progress import Progress
from explorer.learning.lessons.reading import OPENING, find_lesson, lessons
from explorer.plain import plain
from explorer.ui.navigation import PAGES
from explorer.ui.parts import lesson_cards, opening, say
from explorer.ui.parts.holding import held
from explorer.ui.parts.lesson_reveal import reveal
from explorer.ui.state import session
from explorer.ui.state.share import Shared
from explorer.ui.state.workspace import Choice, Workspace

SOON, SELDOM = 1.0, 2.0  # seconds between two looks at what comes by itself
KINDS = {
    "predict": (":material/psychology_alt:", "Predict"),
    "do": (":material/touch_app:", "Your turn"),
    "reveal": (":material/visibility:", "What is so"),
    "why": (":material/lightbulb:", "Why"),
}


def begin(workspace: Workspace, lesson: Lesson, *, anew: bool = False) -> str:
    """Opens a lesson where it was left, or from its first card; gives the page where it goes on.

    From the first card on it begins with its own network, data and criterion, and with an empty board, which undo
    brings back.
    """
    say.toast("The lesson stands at the left; on a narrow screen the arrows at the top open it.")
    kept = None if anew else session.lessons().all(workspace.token).get(lesson.name)
    if kept is not None and kept.fits(lesson) and not kept.finished:
        session.learn(workspace, kept)
        return _page(lesson, kept.card)
    session.learn(workspace, Progress(lesson.name))
    start = Shared(lesson.model, lesson.data, lesson.criterion, {}, Choice())
    if (workspace.model, workspace.data) != (lesson.model, lesson.data):
        opening.ask_shared(start)
    else:
        workspace.judge_by(lesson.criterion, {})
        workspace.go_to(Choice())
    return _page(lesson, 0)


def _page(lesson: Lesson, card: int) -> str:
    """The script of the page where a card, or the next one that has a page, is done."""
    name = next((each.page for each in lesson.cards[card:] if isinstance(each, Do) and each.page in PAGES), "look")
    return PAGES[name].path


def panel(workspace: Workspace) -> bool:
    """Draws the workspace's lesson, if one is open."""
    if workspace.lesson is None:
        return False
    try:
        lesson = find_lesson(workspace.lesson.lesson)
    except ExplorerError as error:  # a file of another version
        say.warning(f"The lesson can't be opened: {error}")
        st.button("Close it", key="lesson close", on_click=session.leave_lesson, args=(workspace,))
        return True
    if not workspace.lesson.fits(lesson):  # its cards are others now
        session.learn(workspace, Progress(lesson.name))
    pace = _pace(workspace, lesson)

    def draw() -> None:
        _draw(workspace, lesson)
        if workspace.lesson is None or workspace.lesson.lesson != lesson.name or _pace(workspace, lesson) != pace:
            st.rerun(scope="app")

    st.fragment(draw, run_every=pace)()
    return True


def _pace(workspace: Workspace, lesson: Lesson) -> float | None:
    """Seconds until the panel looks again by itself; None where only a person can change what it shows."""
    progress = workspace.lesson
    if progress is None or progress.finished:
        return None
    card = lesson.cards[progress.card]
    if held(workspace, lesson, progress.card):
        return SELDOM
    if progress.card in progress.done:
        return None
    if isinstance(card, Reveal):
        return SOON if card.measure else None
    return SELDOM if isinstance(card, Do) and card.asked is not None and card.asked.later else None


def _draw(workspace: Workspace, lesson: Lesson) -> None:
    progress = workspace.lesson
    if progress is None:
        return
    with st.container(key="lesson", gap="small"):
        st.markdown(f":small[{plain(lesson.title)}]")
        if progress.finished:
            _end(workspace, lesson, progress)
            return
        count, place = len(lesson.cards), progress.card
        st.progress((place + 1) / count, text=f"Card {place + 1} of {count}")
        steps = st.container(horizontal=True, gap="small")  # above what grows and shrinks: it stays where a hand is
        _card(workspace, lesson, progress)
        with steps:
            _steps(workspace, lesson, workspace.lesson or progress)
        _out(workspace, lesson)


def _card(workspace: Workspace, lesson: Lesson, progress: Progress) -> None:
    card = lesson.cards[progress.card]
    icon, word = KINDS[card.kind]
    say.badge(word, icon=icon, color="blue")
    st.markdown(f"**{plain(card.title)}**")
    lesson_cards.text(card.text)
    if why_not := held(workspace, lesson, progress.card):
        say.info(why_not, icon=":material/hourglass_empty:")
    elif isinstance(card, Predict):
        lesson_cards.predict(workspace, lesson, card, progress)
    elif isinstance(card, Do):
        lesson_cards.do(workspace, lesson, card, progress)
    elif isinstance(card, Reveal):
        reveal(workspace, lesson, card, progress)
    elif isinstance(card, Why):
        lesson_cards.why(workspace, card, progress)


def _steps(workspace: Workspace, lesson: Lesson, progress: Progress) -> None:
    """The ways back and on."""
    place, last = progress.card, progress.card == len(lesson.cards) - 1
    met = place in progress.done
    st.button("Back", key="lesson back", disabled=place == 0, on_click=_go, args=(workspace, lesson, place - 1))
    st.button(
        "Finish" if last and met else "Next" if met else "Skip",
        key=f"lesson next {place + 1}",  # one of each card's own: a second click never skips the card that follows
        type="primary" if met else "secondary",
        on_click=_go,
        args=(workspace, lesson, place + 1),
        disabled=bool(held(workspace, lesson, place)),
    )


def _out(workspace: Workspace, lesson: Lesson) -> None:
    """The ways to the beginning, and out."""
    with st.container(horizontal=True, gap="small"):
        if st.button("Restart", key="lesson restart", type="tertiary"):
            begin(workspace, lesson, anew=True)
            st.rerun(scope="app")
        if st.button(
            "Leave", key="lesson leave", type="tertiary", help="How far you are is kept: Learn brings you back"
        ):
            session.leave_lesson(workspace)
            st.rerun(scope="app")


def _go(workspace: Workspace, lesson: Lesson, place: int) -> None:
    """To another card; behind the last one is the end."""
    progress = workspace.lesson
    if progress is None or progress.lesson != lesson.name:
        return
    session.learn(workspace, progress.ended() if place >= len(lesson.cards) else progress.at(max(place, 0)))


def _end(workspace: Workspace, lesson: Lesson, progress: Progress) -> None:
    """The last word, and where to go on."""
    st.badge("Finished", icon=":material/check_circle:", color="green")
    skipped = len(lesson.cards) - len(progress.done)
    say.caption("Every card is done." if not skipped else f"Cards that you skipped: {skipped}.")
    following = next((each for each in lessons().values() if each.number > lesson.number), None)
    if following is not None:
        begins = "Start the lessons" if lesson.name == OPENING else "Next lesson"
        if st.button(f"{begins}: {plain(following.title)}", key="lesson following", type="primary"):
            st.switch_page(begin(workspace, following))
    if "learn" in PAGES:
        st.page_link(PAGES["learn"].path, label="All lessons", icon=":material/school:")
    if st.button("Close", key="lesson close", type="tertiary"):
        session.leave_lesson(workspace)
        st.rerun(scope="app")
