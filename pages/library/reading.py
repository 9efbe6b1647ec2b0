"""One paper: what it says, what can be tried of it, what is not here, and what was published of it."""

import streamlit as st

from explorer.learning.library.papers import Paper
from explorer.learning.library.trials import Trial, trials
from explorer.plain import named, plain
from explorer.ui.parts import published, say, trying
from explorer.ui.state.workspace import Workspace

UNKNOWN = "Its authors are not named in what could be read of it."
AUTHORS = 12  # named in full


def show(workspace: Workspace, paper: Paper) -> None:
    """All that the library has of a paper."""
    with st.container(border=True):
        st.subheader(plain(paper.title), anchor=False)
        say.caption(f"{_authors(paper)} · {_where(paper)}")
        with st.container(horizontal=True, gap="xsmall"):
            for tag in paper.tags:
                say.badge(tag.replace("-", " "), color="gray")
        st.markdown(plain(paper.summary))
        say.caption(f"Needs {', '.join(paper.needs) or 'nothing but the network'}.")
        _try(workspace, paper)
    if paper.published:
        published.of_methods(paper.published, f"results of {paper.id}")


def _authors(paper: Paper) -> str:
    if len(paper.authors) <= AUTHORS:
        return ", ".join(paper.authors) or UNKNOWN
    return f"{', '.join(paper.authors[:AUTHORS])} and {len(paper.authors) - AUTHORS} more"


def _where(paper: Paper) -> str:
    return paper.venue if str(paper.year) in paper.venue else f"{paper.venue}, {paper.year}"


def _try(workspace: Workspace, paper: Paper) -> None:
    """The buttons that open what is here of the paper, and what is not here."""
    offered = trials(paper)
    if offered:
        st.markdown(f"{named('Try it here')}: each opens your workspace with it.")
    with st.container(horizontal=True, gap="small"):
        for trial in offered:
            _button(workspace, trial)
        if paper.link:
            st.link_button("Read the paper", paper.link, icon=":material/open_in_new:", type="tertiary")
    if paper.lacks or not offered:
        say.caption(f"Not here, or other than in the paper: {paper.lacks or 'nothing of it can be set.'}")


def _button(workspace: Workspace, trial: Trial) -> None:
    pressed = st.button(
        plain(trying.said(trial)),
        icon=":material/play_arrow:",
        key=f"try {trial.kind} {trial.name}",
        help=plain(trial.about) or None,
    )
    if pressed:
        trying.go(workspace, trial)
