"""What a person waits for in the app, in Chromium: the first page, another page, and the numbers after a release.

    python benchmarks/app.py [--json] [--starts 3] [--rounds 3] [--releases 5]
                             [--models demo:resnet20-digits,demo:vgg-shapes,demo:vit-digits]

Every row is a wait with its median and worst in seconds and the bound that the project sets itself; a ratio is the
bound over the median, so above one is within it. *Shell* is the heading, *usable* the first samples with their answers,
both from the first request of a server that has just started. *Heading* and *settled* are of a switch to another page
whose content is known. *As cut* and *repaired* are from the release of a dragged line to the number in the strip; the
first release waits for the worker's start and is not counted. *One line* is the heading of an app of nothing but a
heading, served in the same way: the browser loading Streamlit itself, which no page of ours can be faster than. Run it
on a quiet machine: the browser shares it.
"""

import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright
from sidebyside import options, present

from explorer.ui.navigation import PAGES
from explorer.ui.state.share import PARAMETER, Shared, link_text
from tests.browser.app import PATIENCE, launch, running, settled

BOUNDS = {"one line": 0.5, "shell": 0.5, "usable": 3.0, "heading": 0.3, "settled": 1.5, "as cut": 0.5, "repaired": 3.0}
FRESH = ".strip .stages:not(.stale) .stage[data-stage={}] .value"
Waits = dict[str, list[float]]


def page_of(browser: Browser) -> Page:
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE)
    return page


def one_line(browser: Browser, waits: Waits) -> None:
    """A server's first request, where it has nothing to show but a heading."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "one_line.py"
        script.write_text('import streamlit as st\n\nst.title("Here")\n')
        with running(Path(folder), str(script)) as app:
            page = page_of(browser)
            start = time.perf_counter()
            page.goto(app.url, wait_until="commit")
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            waits["one line"].append(time.perf_counter() - start)
            page.context.close()


def first_page(browser: Browser, waits: Waits) -> None:
    """A server's first request."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as app:
        page = page_of(browser)
        start = time.perf_counter()
        page.goto(app.url, wait_until="commit")
        expect(page.get_by_role("heading", name=PAGES["look"].title, level=1)).to_be_visible()
        waits["shell"].append(time.perf_counter() - start)
        page.get_by_test_id("stImage").first.wait_for()
        waits["usable"].append(time.perf_counter() - start)
        page.context.close()


def switches(page: Page, waits: Waits, rounds: int) -> None:
    """From step to step, each of which has been seen before."""
    steps = [entry for entry in PAGES.values() if entry.step]
    for round_ in range(rounds + 1):
        for entry in steps[::-1] + steps[1:]:
            told: Waits = waits if round_ else defaultdict(list)
            link = page.get_by_role("banner").get_by_role("link", name=entry.label, exact=True)
            start = time.perf_counter()
            link.click()
            expect(page.get_by_role("heading", name=entry.title, level=1)).to_be_visible()
            told["heading"].append(time.perf_counter() - start)
            settled(page)
            told["settled"].append(time.perf_counter() - start)


def releases(page: Page, waits: Waits, count: int) -> None:
    """A line dragged back and forth; the numbers in the strip after it is let go."""
    handle = page.get_by_role("slider").nth(1)
    for turn in range(count + 1):
        told: Waits = waits if turn else defaultdict(list)
        box = handle.bounding_box()
        assert box
        place = handle.locator(".thumb").bounding_box()
        assert place
        x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
        goal = box["x"] + box["width"] * (0.25 + 0.5 * ((turn * 7) % 11) / 11)
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(goal, y, steps=6)
        page.mouse.up()
        start = time.perf_counter()
        for stage, label in (("cut", "as cut"), ("repaired", "repaired")):
            page.locator(FRESH.format(stage)).wait_for()
            told[label].append(time.perf_counter() - start)
        settled(page)


def row(label: str, model: str, waits: list[float]) -> dict[str, object]:
    return {
        "wait": label,
        "model": model,
        "median s": statistics.median(waits),
        "worst s": max(waits),
        "bound s": BOUNDS[label],
        "times": len(waits),
    }


def main() -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("no chromium on this machine: `apt-get install chromium` as root, then run this again")
    models = "demo:resnet20-digits,demo:vgg-shapes,demo:vit-digits"
    chosen = options(__doc__, starts=3, rounds=3, releases=5, models=models)
    rows = []
    with sync_playwright() as playwright:
        browser = launch(playwright, chromium)
        waits: Waits = defaultdict(list)
        for _ in range(chosen.starts):
            one_line(browser, waits)
            first_page(browser, waits)
        with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as app:
            page = page_of(browser)
            page.goto(app.url)
            settled(page)
            switches(page, waits, chosen.rounds)
            rows += [row(label, "", seconds) for label, seconds in waits.items()]
            for model in chosen.models.split(","):
                page = page_of(browser)
                page.goto(f"{app.url}/cut?{PARAMETER}={link_text(Shared(model, model.rpartition('-')[2]))}")
                page.locator(".board .row .thumb").nth(1).wait_for()
                settled(page)
                waits = defaultdict(list)
                releases(page, waits, chosen.releases)
                rows += [row(label, model, seconds) for label, seconds in waits.items()]
        browser.close()
    ratios = {f"{entry['wait']} {entry['model']}".strip(): entry["bound s"] / entry["median s"] for entry in rows}
    present(rows, ratios, as_json=chosen.json)


if __name__ == "__main__":
    main()
