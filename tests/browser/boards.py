"""A page that shows nothing but a board, and where to find its parts."""

import json
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Locator, Page

from .app import App, settled

SCRIPT = "tests/browser/board_app.py"


def show(page: Page, app: App, **query: Any) -> None:
    page.goto(f"{app.url}/?{urlencode(query)}")
    page.locator(".board .row").first.wait_for()
    settled(page)


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("group", name=name, exact=True)


def slider(page: Page, name: str) -> Locator:
    return row(page, name).get_by_role("slider")


def switch(page: Page, block: str) -> Locator:
    """That of a whole block."""
    return row(page, f"{block}, whole block").get_by_role("switch")


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
