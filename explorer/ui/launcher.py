"""Starts the app: Streamlit's own server on `app.py`, with its older idea of a `pages` folder switched off.

Streamlit takes a folder of that name beside the entry script for pages of its own until the entry script has run once,
and answers a deep link that is a server's first request with "Page not found". Page scripts here are only reached
through the entry script, so that idea is switched off before the server starts.
"""

import os
from typing import Any

from explorer.places import ROOT

SCRIPT = ROOT / "app.py"


def own_navigation() -> None:
    """Leaves all navigation to the entry script, from the first request on."""
    from streamlit.runtime.pages_manager import PagesManager

    PagesManager.uses_pages_directory = False


def launch(*, port: int | None = None, address: str | None = None, script: str | None = None) -> None:
    """Serves the app until it is interrupted.

    Args:
        port: None for Streamlit's own choice: its settings, else 8501.
        address: what to listen on, None for the settings' (this machine only); ``0.0.0.0`` serves everybody.
        script: another entry script than the app's, for tests.
    """
    from streamlit import config
    from streamlit.web import bootstrap

    entry = str(SCRIPT if script is None else script)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    options: dict[str, Any] = {"server_port": port, "server_address": address}
    config._main_script_path = entry
    bootstrap.load_config_options({name: value for name, value in options.items() if value is not None})
    own_navigation()
    bootstrap.run(entry, False, [], options)
