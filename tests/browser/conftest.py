"""Chromium and one server for all tests of this folder."""

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

from .app import PAGES, PATIENCE, launch, running, visit


@pytest.fixture(scope="session")
def chromium():
    path = shutil.which("chromium")
    if path is None:
        sentence = "no chromium on this machine: `apt-get install chromium` as root, then run the tests again"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(sentence)
    return path


@pytest.fixture(scope="session")
def browser(chromium):
    with sync_playwright() as playwright:
        browser = launch(playwright, chromium)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def app(tmp_path_factory, browser):
    """A server that has answered its first request, which Streamlit treats differently."""
    with running(tmp_path_factory.mktemp("runs")) as app:
        context = browser.new_context()
        visit(context.new_page(), app.url, PAGES[""])
        context.close()
        yield app


def is_fault(message):
    """An error, except that Streamlit looks for its own address by trying the page's path first."""
    return message.type == "error" and "/_stcore/" not in message.location.get("url", "")


@pytest.fixture
def page(browser):
    """A page in a session of its own; the test fails when the browser's console has an error."""
    context = browser.new_context(viewport={"width": 1400, "height": 900}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    errors = []
    page.on("console", lambda message: errors.append(message.text) if is_fault(message) else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []
