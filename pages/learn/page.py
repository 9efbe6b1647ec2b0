"""Learn: the lessons, each played on the real pages, and what else teaches."""

import streamlit as st

from explorer.errors import ExplorerError
from explorer.learning.lessons.lesson import Lesson
from explorer.learning.lessons.progress import Progress
from explorer.learning.lessons.reading import OPENING, lessons
from explorer.plain import plain
from explorer.ui.navigation import PAGES
from explorer.ui.parts import frame, lesson, say
from explorer.ui.state import session
from explorer.ui.state.workspace import Workspace

BESIDE = {
    "missions": ("Missions: reach a goal that is judged on hidden data", ":material/flag:"),
    "classroom": ("A class: a teacher, a code, thirty students", ":material/groups:"),
    "library": ("The papers, and what they publish", ":material/menu_book:"),
    "glossary": ("Every word in a sentence", ":material/dictionary:"),
}
"""Pages that teach in other ways, by name: what each is, and its icon."""


def show(workspace: Workspace, each: Lesson, progress: Progress | None) -> None:
    """A lesson with how far it is, and the way into it."""
    open_now = workspace.lesson is not None and workspace.lesson.lesson == each.name
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
        with st.container(width="stretch", gap=None):
            number = f"{each.number}. " if each.number else ""
            st.markdown(f"**{plain(number + each.title)}**")
            say.caption(each.summary)
        with st.container(width=190, gap=None):
            say.caption(f"{each.minutes} minutes, {len(each.cards)} cards")
            mark(each, progress, open_now)
        begun = progress is not None and not progress.finished and progress.fits(each)
        label = "Open beside this page" if open_now else "Go on" if begun else "Again" if progress else "Start"
        if st.button(
            label,
            key=f"lesson start {each.name}",
            type="secondary" if open_now or (progress and progress.finished) else "primary",
            disabled=open_now,
            width=150,
        ):
            st.switch_page(lesson.begin(workspace, each, anew=progress is not None and progress.finished))


def mark(each: Lesson, progress: Progress | None, open_now: bool) -> None:
    """Whether a lesson is done, or how far it is."""
    if progress is not None and progress.finished and not open_now:
        st.badge("Done", icon=":material/check:", color="green")
    elif progress is not None and progress.fits(each):
        say.badge(f"Card {progress.card + 1} of {len(each.cards)}", icon=":material/bookmark:", color="blue")


workspace = session.current()
frame.heading("Learn", "Lessons on the real pages: predict, try, see what is so, and why.", workspace)
kept = session.lessons().all(workspace.token)
try:
    found = lessons()
except ExplorerError as error:
    say.error(f"The lessons can't be read: {error}")
    found = {}
st.markdown(
    "A lesson stands at the left of every page and watches what you do there. Leave it at any card and come back."
)
listed = [each for each in found.values() if each.name != OPENING]
for each in listed:
    show(workspace, each, kept.get(each.name))
if OPENING in found:
    with st.expander("The two-minute look of the first visit", icon=":material/timer:"):
        show(workspace, found[OPENING], kept.get(OPENING))
others = [name for name in BESIDE if name in PAGES]
if others:
    st.subheader("More ways to learn", anchor=False)
    with st.container(horizontal=True):
        for name in others:
            about, icon = BESIDE[name]
            st.page_link(PAGES[name].path, label=plain(about), icon=icon)
