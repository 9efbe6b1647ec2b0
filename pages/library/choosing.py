"""Which paper is read: words, tags, needs and years, and the list of those that are left."""

from collections.abc import Sequence
from functools import partial

import pandas as pd
import streamlit as st

from explorer.learning.library.papers import NEEDS, TAGS, Paper, papers, search
from explorer.learning.library.trials import trials
from explorer.plain import plain
from explorer.ui.parts import say
from explorer.ui.state import session
from explorer.ui.state.forms import kept

PARAMETER = "paper"  # of the page's address
CHOSEN = "paper of the library"
FIRST = "li2017pruning"  # where nobody has chosen yet


def take_link() -> None:
    """The paper that the address names, as lessons link to it, becomes the chosen one."""
    named = st.query_params.get(PARAMETER)
    if named is None:
        return
    del st.query_params[PARAMETER]
    if named in papers():
        st.session_state[CHOSEN] = named
        session.current().note(CHOSEN, named)
    else:
        say.warning(f"The library has no paper {named!r}.", icon=":material/link_off:")


def ask() -> Paper:
    """The filters and the list; gives the chosen paper, which stays chosen where the filters hide it."""
    found = _filtered()
    say.caption(f"{len(found)} of {len(papers())} papers. Click one to read about it.")
    chosen = st.session_state.get(kept(CHOSEN, papers()), FIRST)
    if found:
        _list(found, chosen)
    return papers()[chosen]


def _filtered() -> list[Paper]:
    words = st.text_input(
        "Words",
        key=kept("words of the library"),
        placeholder="Title, author, or a word of the summary",
        icon=":material/search:",
        label_visibility="collapsed",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        tags = st.multiselect(
            "About",
            list(TAGS),
            format_func=lambda name: f"{name}: {TAGS[name]}",
            key=kept("tags of the library"),
            placeholder="About anything",
            label_visibility="collapsed",
            persist_state="session",
            width="stretch",
        )
        with st.popover("Filter", icon=":material/filter_alt:"):
            needs, years = _needs(), _years()
        here = st.toggle("Can be tried here", key=kept("only here"), persist_state="session")
    found = search(words or "", tags=tags, needs=needs or None, years=years)
    return [paper for paper in found if trials(paper) or not here]


def _needs() -> list[str]:
    return st.multiselect(
        "It needs no more than",
        list(NEEDS),
        format_func=lambda name: f"{name}: {NEEDS[name]}",
        key=kept("needs of the library"),
        placeholder="Anything",
        persist_state="session",
    )


def _years() -> tuple[int, int]:
    ends = [year(paper.year for paper in papers().values()) for year in (min, max)]
    first, last = st.slider("Years", *ends, tuple(ends), key=kept("years of the library"), persist_state="session")
    return first, last


def _list(found: Sequence[Paper], chosen: str) -> None:
    newest_first = list(reversed(found))
    rows = [
        {"Year": paper.year, "Here": bool(trials(paper)), "By": paper.short.rpartition(" ")[0], "Paper": paper.title}
        for paper in newest_first
    ]
    ids = [paper.id for paper in newest_first]
    key = f"list of papers {len(ids)} {ids[0]}"
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height=430,
        column_config={
            "Year": st.column_config.NumberColumn(format="%d", width=52),
            "Here": st.column_config.CheckboxColumn(help="Whether something of it can be tried here", width=52),
            "By": st.column_config.TextColumn(width=120),
            "Paper": st.column_config.TextColumn(width="large"),
        },
        key=key,
        on_select=partial(_pick, key, ids),
        selection_mode="single-row",
        selection_default={"selection": {"rows": [ids.index(chosen)] if chosen in ids else []}},
        alt=plain("Papers, a row each, the newest first"),
    )


def _pick(key: str, ids: Sequence[str]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows and rows[0] < len(ids):
        st.session_state[CHOSEN] = ids[rows[0]]
