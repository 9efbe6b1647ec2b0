"""A state taken away and brought back: the panel, and links."""

import streamlit as st

from explorer.errors import ExplorerError
from explorer.pruning import Plan
from explorer.ui.parts import opening, say
from explorer.ui.state import session
from explorer.ui.state.share import PARAMETER, Shared, link_text, plan_file, read_file, read_link
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words


def panel(workspace: Workspace, plan: Plan) -> None:
    """A link and a file of the present state, and the way back from a file."""
    shared = Shared.of(workspace)
    st.caption("A link to this state: model, data, criterion and cut. It opens for whoever can reach this address.")
    st.code(f"{address()}?{PARAMETER}={link_text(shared)}", language=None, wrap_lines=True, height=96)
    st.download_button(
        "Download as a file", plan_file(shared, plan), "plan.json", "application/json", icon=":material/download:"
    )
    file = st.file_uploader(
        "Or open a plan.json", type="json", max_upload_size=1, key=f"plan {session.revision(workspace)}"
    )
    if file is not None:
        try:
            opening.ask_shared(read_file(file.getvalue()))
        except ExplorerError as error:
            say.error(words.sentence(str(error)))
        else:
            st.rerun()


def address() -> str:
    """The page's own address without its parameters."""
    return (st.context.url or "").partition("?")[0]


def open_link() -> None:
    """Asks for the state that the URL carries, if it carries one; called by the entry script."""
    text = st.query_params.get(PARAMETER)
    if text is None:
        return
    del st.query_params[PARAMETER]  # first, so that whatever is wrong with it is said once: a reload goes on without
    try:
        opening.ask_shared(read_link(text))
    except ExplorerError as error:
        say.error(f"The shared state can't be opened: {error}", icon=":material/link_off:")
