"""Pruning Explorer's entry script, started by ``python -m explorer app``: the frame around every page."""

import streamlit as st

from explorer.errors import ExplorerError
from explorer.places import ASSETS
from explorer.ui.navigation import PAGES, Page, path_to
from explorer.ui.parts import classroom, companion, mission_link, opening, presenting, say, sharing
from explorer.ui.state import session
from explorer.ui.text import words


def shown(page: Page) -> st.Page:
    """A page as Streamlit's navigation takes it."""
    return st.Page(page.path, title=page.label, url_path=page.address, default=not page.address)


def forwarding(page: Page, address: str) -> st.Page:
    """What stands at an address of earlier versions and leads on to the page."""

    def forward() -> None:
        st.switch_page(page.path)

    return st.Page(forward, title=page.title, url_path=address, visibility="hidden")


sections: dict[str, list[st.Page]] = {"": []}
for page in PAGES.values():
    sections.setdefault(page.section, []).append(shown(page))
    sections[""] += [forwarding(page, address) for address in page.earlier]

st.set_page_config(page_title="Pruning Explorer", page_icon=str(ASSETS / "icon.svg"), layout="wide")
st.logo(str(ASSETS / "logo.svg"), size="large")
try:
    session.open_workspace()
except ExplorerError as error:
    say.error(words.sentence(str(error)), icon=":material/block:")
    st.stop()
sharing.open_link()
classroom.note_link()
presenting.apply(session.current())
mission_link.open_link(session.current())
page = st.navigation(sections, position="top")
session.note_page(page.url_path)
if classroom.asked_for():
    st.switch_page(path_to("classroom"))
opening.carry_out(session.current())
body = st.container()  # one element, so that all of a page can go at once
st.empty()  # where it was told that it is opened
companion.show(session.current())
with body:
    page.run()
