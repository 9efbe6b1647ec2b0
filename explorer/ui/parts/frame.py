"""What every page has around its content: a heading, what is loaded, where to go next."""

from typing import Any

import altair as alt
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.errors import ExplorerError
from explorer.learning.library.glossary import about
from explorer.plain import plain
from explorer.structure import Structure
from explorer.tasks import Task
from explorer.ui import engine
from explorer.ui.engine import Opened
from explorer.ui.navigation import PAGES, Page, after
from explorer.ui.parts import chooser, opening, presenting, say, standing
from explorer.ui.parts.stages import Stages
from explorer.ui.state.workspace import DATA, MODEL, Workspace


def heading(title: str, purpose: str, workspace: Workspace, following: Page | None = None) -> None:
    """The page's name, what it is for, the model and data that it is about, and why others could not be opened.

    Args:
        following: the step that comes next, which a link leads to.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title(plain(title), anchor=False, width="content")
        say.caption(purpose, width="stretch")
        _chip(workspace)
        presenting.switch(workspace)
        if following is not None:
            arrow = {"icon": ":material/arrow_forward:", "icon_position": "right"}
            st.page_link(following.path, label=plain(f"Next: {following.title}"), **arrow)
    opening.show_refusal(workspace)


def step(name: str, purpose: str, workspace: Workspace) -> Stages:
    """The heading of a step below the strip, which tells what is known and is given the rest by `Stages.measure`.

    Args:
        name: of the step in the table of pages.
    """
    stages = Stages(workspace)
    heading(PAGES[name].title, purpose, workspace, after(name))
    return stages


def _chip(workspace: Workspace) -> None:
    """The model and data that are open, with what must not be overlooked of them; a click opens the choice."""
    found = engine.known(lambda: standing.guessing(workspace))
    if found is not None:
        say.badge(found.word, icon=":material/warning:", color="orange", help=plain(found.why))
    if st.button(
        plain(f"{workspace.model} · {workspace.data}"),
        icon=":material/schema:",
        key="chip",
        help="The model and data of this workspace: choose others",
    ):
        chooser.choose(workspace)


def fact(
    label: str, value: str, note: str = "", definition: str = "", *, detail: str = "", border: bool = True
) -> None:
    """A number with its unit, a note and a detail below it, and its definition on hover.

    Where none is given, a label that is a term of the glossary is explained by its sentence.
    """
    st.metric(
        plain(label),
        plain(value),
        delta=plain(note) or None,
        delta_color="off",
        delta_description=plain(detail) or None,
        delta_arrow="off",
        help=plain(definition or about(label)) or None,
        border=border,
        height="stretch" if border else "content",
    )


def chart(finding: str, drawing: alt.LayerChart, what: str, **options: Any) -> None:
    """A chart below the sentence that says what it shows; `what` names the picture for who can't see it."""
    with st.container(gap="xsmall"):
        st.markdown(f"**{plain(finding)}**")
        st.altair_chart(presenting.lettered(drawing), alt=f"{what}. {finding}.", **options)


def model_or_stop(workspace: Workspace, stages: Stages | None = None) -> Opened:
    """The workspace's model; where it can't be opened any more, says why, offers the bundled one, and stops."""
    try:
        return engine.opened(workspace.model)
    except ExplorerError as error:
        if stages is not None:
            stages.cannot(error)
        say.error(f"{workspace.model} can't be opened: {error}", icon=":material/error:")
        st.button("Go back to the bundled model", on_click=workspace.choose, args=(MODEL, DATA))
        st.stop()


def stop_without_groups(structure: Structure) -> None:
    """Says so and stops where the network has no channels that can be cut."""
    if not structure.groups:
        st.info("This network has no channels that can be cut; the Look page says why.", icon=":material/lock:")
        st.stop()


def task_or_word(workspace: Workspace, opened: Opened) -> Task | None:
    """The workspace's task; None, and the reason on the page, where it can't be read or doesn't fit the model."""
    try:
        return engine.task(workspace.data, opened.model)
    except ExplorerError as error:
        say.warning(f"No accuracy: {error}", icon=":material/image_not_supported:")
        return None


def beside(name: str) -> tuple[DeltaGenerator, DeltaGenerator]:
    """The place for a page's main part, and a column beside it; below it where both don't fit."""
    with st.container(horizontal=True, gap="medium", vertical_alignment="top", key=f"{name} beside"):
        return st.container(width="stretch"), st.container(width=350)


def onward(page: str, sentence: str) -> None:
    """The link to the next step, by its name in the table of pages."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="right"):
        say.caption(sentence, width="content")
        st.page_link(PAGES[page].path, label=PAGES[page].title, icon=":material/arrow_forward:", icon_position="right")
