"""Glossary: the words of the pages, each in one sentence."""

from itertools import groupby

import streamlit as st

from explorer.learning.library.glossary import Term, search, terms
from explorer.plain import named, plain
from explorer.ui.navigation import PAGES
from explorer.ui.parts import frame, say
from explorer.ui.state import session


def show(term: Term) -> None:
    """A word, its meaning, the words near it, and the page where it is met."""
    also = f"({', '.join(term.synonyms)})" if term.synonyms else ""
    see = f"See {', '.join(term.see)}." if term.see else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"{named(term.name)} {plain(also)}  \n{plain(term.meaning)} {plain(see)}", width="stretch")
        if term.page:
            st.page_link(PAGES[term.page].path, label=plain(PAGES[term.page].title), icon=":material/arrow_forward:")


workspace = session.current()
frame.heading(
    "Glossary", "The words of these pages, each in one sentence; the same sentences stand on hover.", workspace
)
wanted = st.text_input(
    "Find a word",
    key="word of the glossary",
    placeholder="Find a word, such as exact or interval",
    icon=":material/search:",
    label_visibility="collapsed",
)
found = search(wanted or "") if wanted else list(terms().values())
if not found:
    say.caption("The glossary has no such word.")
for topic, of_topic in groupby(found, key=lambda term: term.topic):
    if not wanted:
        st.subheader(plain(topic), anchor=False)
    with st.grid(2, min_column_width=380):
        for term in of_topic:
            show(term)
