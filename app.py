"""Pruning Explorer's entry script, started by ``python -m explorer app``: the frame around every page."""

import streamlit as st

from explorer.errors import ExplorerError
from explorer.places import ASSETS
from explorer.ui.navigation import PAGES
from explorer.ui.parts import say, sharing
from explorer.ui.state import session
from explorer.ui.text import words

pages = [
    st.Page(page.path, title=page.title, icon=page.icon, url_path=page.address, default=not place)
    for place, page in enumerate(PAGES.values())
]

st.set_page_config(page_title="Pruning Explorer", page_icon=str(ASSETS / "icon.svg"), layout="wide")
try:
    session.open_workspace()
except ExplorerError as error:
    say.error(words.sentence(str(error)), icon=":material/block:")
    st.stop()
sharing.open_link()
st.navigation(pages, position="top").run()
