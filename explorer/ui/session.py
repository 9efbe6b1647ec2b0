"""One browser session: which workspace it shows, and which refs it may name."""

import os
from pathlib import Path

import streamlit as st

from explorer.runs.desk import DESK
from explorer.ui.access import allowed_roots, check_ref
from explorer.ui.workspace import WORKSPACES, Workspace

PARAMETER = "w"


def open_workspace() -> None:
    """Finds the workspace that the URL or this session names, or makes one, and writes its token into the URL.

    Called by the entry script on every run: a page switch clears the URL's parameters.
    """
    asked = st.query_params.get(PARAMETER)
    workspace = WORKSPACES.get(st.session_state.get("workspace")) or WORKSPACES.get(asked)
    if workspace is None:
        workspace = WORKSPACES.create()
        if asked:
            st.toast("That workspace is no longer on this server. This is a new one.", icon=":material/info:")
    st.session_state["workspace"] = workspace.token
    if asked != workspace.token:
        st.query_params[PARAMETER] = workspace.token


def current() -> Workspace:
    """This session's workspace.

    A page that was opened without the entry script (the server's first request was a link to its file) goes
    through the entry script first.
    """
    workspace = WORKSPACES.get(st.session_state.get("workspace"))
    if workspace is None:
        st.switch_page("app.py")
    return workspace


def uploads(workspace: Workspace) -> Path:
    return DESK.root / "uploads" / workspace.token


def permitted(ref: str, workspace: Workspace) -> str:
    """`ref` without surrounding space, if a browser may name it here.

    Raises:
        ExplorerError: it names a path that this server does not open to browsers.
    """
    roots = allowed_roots(st.get_option("server.address"), os.environ.get("EXPLORER_ROOTS"))
    own = [uploads(workspace), *(Path(job.directory) for job in DESK.jobs(workspace.token))]
    return check_ref(ref.strip(), roots, own)
