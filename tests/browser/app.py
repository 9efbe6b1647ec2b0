"""The real app in a process of its own, and Chromium to look at it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, Playwright, expect

from explorer import cache
from explorer.ui.navigation import PAGES as NAVIGATION

ROOT = Path(__file__).resolve().parents[2]
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
READY = "[data-testid=stApp][data-test-connection-state=CONNECTED][data-test-script-state=notRunning]"
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy the environment names
PATIENCE = 120_000  # milliseconds; a busy machine is slow, not wrong
expect.set_options(timeout=PATIENCE)
PAGES = {page.address: page.title for page in NAVIGATION.values()}


class App:
    """A running server; `url` is where it answers."""

    def __init__(self, process: subprocess.Popen, port: int) -> None:
        self.process, self.url = process, f"http://localhost:{port}"

    def workers(self) -> list[int]:
        """The ids of the server's own child processes."""
        path = Path(f"/proc/{self.process.pid}/task")
        children = (task / "children" for task in path.iterdir())
        return [int(pid) for file in children for pid in file.read_text().split()]

    def kill_worker(self) -> None:
        for pid in self.workers():
            os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        """Ends the server and its workers as a crash of the machine does: nobody hears of it."""
        workers = self.workers()
        for pid in (self.process.pid, *workers):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def running(runs: Path, script: str = "app.py", *, sound: bool = True, room: bool = False) -> Iterator[App]:
    """The app, or another script of the project, on a free port, its runs in the folder `runs`.

    Args:
        sound: whether nothing may happen in it that nobody foresaw.
        room: whether it is served as to a class.

    Raises:
        AssertionError: something happened in it that nobody foresaw, whether a test looked at that page or not.
    """
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, *_serving(script, port), *(["--class"] if room else [])]
    environment = {**os.environ, "EXPLORER_RUNS": str(runs), "PYTHONPATH": str(ROOT)}
    log = (runs / "server.log").open("wb")
    before = {path.name for path in (cache.folder() / "mishaps").glob("*.txt")}
    with log, subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as process:
        try:
            app = App(process, port)
            _wait_for(app)
            yield app
        finally:
            process.terminate()  # nothing happens where it has been killed
    if sound:
        assert {name: text for name, text in mishaps(process.pid).items() if name not in before} == {}


def mishaps(server: int) -> dict[str, str]:
    """The traces of a server and of its workers, by its process id: the cache has those of all that run meanwhile."""
    found = {}
    for path in (cache.folder() / "mishaps").glob("*.txt"):
        with suppress(FileNotFoundError):  # only the newest few of all are kept
            text = path.read_text(encoding="utf-8")
            if re.search(rf"^process ({server}, started by \d+|\d+, started by {server})$", text, re.MULTILINE):
                found[path.name] = text
    return found


def _serving(script: str, port: int) -> list[str]:
    """What Python is told so that it serves a script."""
    if script == "app.py":
        return ["-m", "explorer", "app", "--port", str(port)]
    return ["-c", f"from explorer.ui.launcher import launch; launch(port={port}, script={str(ROOT / script)!r})"]


def _wait_for(app: App) -> None:
    for _ in range(900):
        if app.process.poll() is not None:
            break
        try:
            with DIRECT.open(f"{app.url}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the app did not start")


def launch(playwright: Playwright, chromium: str) -> Browser:
    return playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))


def settled(page: Page) -> None:
    """Waits until the script has run; Streamlit takes a moment before it says that it runs."""
    page.wait_for_timeout(200)
    page.wait_for_selector(READY, timeout=PATIENCE)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)


def visit(page: Page, url: str, title: str) -> None:
    page.goto(url)
    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
    settled(page)


def by_method(page: Page, title: str) -> None:
    """Lets a method choose what leaves, on the Recover page."""
    page.get_by_text("Let a method choose", exact=True).click()
    page.get_by_role("radio", name=title, exact=True).check()
    settled(page)


def result(page: Page) -> Locator:
    """What the Recover page offers only with a run that has ended well."""
    return page.get_by_role("button", name="Take it")


def switch(page: Page, title: str) -> None:
    """Goes to another page by the navigation at the top."""
    link = page.get_by_role("banner").get_by_role("link", name=re.compile(rf"^(\d )?{title}$"))
    if link.count() == 0:
        page.get_by_role("banner").get_by_text("Lab", exact=True).click()
    page.get_by_role("link", name=re.compile(rf"^(\d )?{title}$")).first.click()
    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
    settled(page)


def choose(page: Page, text: str, ref: str) -> None:
    """Chooses a model or data in the dialog, by a search."""
    page.locator(".st-key-chip button").locator("visible=true").first.click()
    page.get_by_role("dialog").get_by_role("textbox", name="Search").fill(text)
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name=ref).first.click()
    expect(page.get_by_role("dialog")).to_have_count(0)
