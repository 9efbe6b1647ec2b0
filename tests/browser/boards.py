"""A server that shows nothing but a board, and where to find its parts."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Locator, Page

from .app import ROOT, App, _wait_for, settled

SCRIPT = ROOT / "tests" / "browser" / "board_app.py"


@contextmanager
def serving(folder: Path, script: Path = SCRIPT) -> Iterator[App]:
    """The script on a free port, its log in `folder`."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    log = (folder / "board.log").open("wb")
    with log, subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as process:
        try:
            app = App(process, port)
            _wait_for(app)
            yield app
        finally:
            process.terminate()


def show(page: Page, app: App, **query: Any) -> None:
    page.goto(f"{app.url}/?{urlencode(query)}")
    page.locator(".board .row").first.wait_for()
    settled(page)


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("group", name=name, exact=True)


def slider(page: Page, name: str) -> Locator:
    return row(page, name).get_by_role("slider")


def removed(page: Page, name: str) -> int:
    return int(slider(page, name).get_attribute("aria-valuenow"))


def counter(page: Page, kind: str) -> str:
    return page.locator(f".counter[data-kind={kind}] .now").inner_text()


def known(page: Page) -> dict[str, Any]:
    """What Python holds, once it has run."""
    settled(page)
    return json.loads(page.get_by_test_id("stText").inner_text())


def at(page: Page, name: str, fraction: float) -> tuple[float, float]:
    """A point of a row's strip, which is scrolled into sight."""
    slider(page, name).scroll_into_view_if_needed()
    box = slider(page, name).bounding_box()
    return box["x"] + fraction * box["width"], box["y"] + box["height"] / 2
