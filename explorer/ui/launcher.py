"""Starts the app: Streamlit's own server on `app.py`, with its older idea of a `pages` folder switched off.

Streamlit takes a folder of that name beside the entry script for pages of its own until the entry script has run once,
and answers a deep link that is a server's first request with "Page not found". Page scripts here are only reached
through the entry script, so that idea is switched off before the server starts.
"""

import gc
import importlib
import os
import signal
import sys
from typing import Any

from explorer.memory import share_pool
from explorer.places import ROOT
from explorer.runs.queue.limits import Limits

SCRIPT = ROOT / "app.py"
HEAVY = ("explorer.ui.parts.frame", "explorer.ui.charts.network", "explorer.ui.charts.scores")
"""What pages import and takes seconds: read before the first request comes, which then finds a page at once."""


def own_navigation() -> None:
    """Leaves all navigation to the entry script, from the first request on."""
    from streamlit.runtime.pages_manager import PagesManager

    PagesManager.uses_pages_directory = False


def unchecked_charts() -> None:
    """Lets Altair draw without holding every part of every chart against its schema, which takes half of a page's time.

    What pages draw is checked by tests, which do not start the app so.
    """
    from altair.utils import schemapi

    schemapi.DEBUG_MODE = False
    schemapi.SchemaBase.validate = classmethod(lambda cls, instance, schema=None: None)  # type: ignore[method-assign]


SWITCH = 0.0001  # seconds that a page may keep the interpreter from others' answers; Python's own are fifty times that


def launch(
    *,
    port: int | None = None,
    address: str | None = None,
    script: str | None = None,
    start: tuple[str, str] | None = None,
) -> None:
    """Serves the app until it is interrupted.

    Args:
        port: None for Streamlit's own choice: its settings, else 8501.
        address: what to listen on, None for the settings' (this machine only); ``0.0.0.0`` serves everybody.
        script: another entry script than the app's, for tests.
        start: the model and data that new workspaces show; None: the demo model.

    Raises:
        ExplorerError: the environment holds a limit that is none.
    """
    from streamlit import config
    from streamlit.starlette import App
    from streamlit.web import bootstrap

    from explorer.ui.door import door
    from explorer.ui.faults import tell
    from explorer.ui.state.workspace import START

    for module in HEAVY:
        importlib.import_module(module)
    gc.freeze()  # modules stay: no collection walks through them, of which each would hold up every page
    if start is not None:
        START.model, START.data = start
    share_pool()
    limits = Limits.of_environment()
    entry = str(SCRIPT if script is None else script)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.setswitchinterval(SWITCH)
    options: dict[str, Any] = {"server_port": port, "server_address": address}
    config._main_script_path = entry
    bootstrap.load_config_options({name: value for name, value in options.items() if value is not None})
    own_navigation()
    unchecked_charts()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Raised again when the server has closed; jobs are handed over at exit.
        signal.signal(number, lambda *_: sys.exit(0))
    app = App(entry, middleware=[door(limits)], on_script_error=tell)
    bootstrap.run_asgi_app(entry, app, [], options)  # type: ignore[arg-type]
