"""Pictures of every page at every size of a screen, light and dark: ``python -m tests.browser.screenshots FOLDER``.

Goes through the main job once, so that every page has something to show. With ``--whole`` pictures are as high as the
page, with ``--docs`` only those of the documentation are made. With ``--boards`` it takes the board instead, of several
networks that keep half of their MACs.
"""

import argparse
import re
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from explorer.budget import Target, allocate
from explorer.criteria import score
from explorer.sources import load_model
from explorer.structure import analyse
from explorer.ui.navigation import PAGES as NAVIGATION
from explorer.ui.state.share import PARAMETER, Shared, link_text
from explorer.ui.state.workspace import Choice
from tests.browser.app import PAGES, PATIENCE, by_method, launch, result, running, settled, switch, visit

SIZES = {"laptop": (1366, 640), "wide": (1440, 900), "large": (1920, 1080), "phone": (400, 860)}
SCHEMES = ("light", "dark")
EVERY = [(name, size, scheme) for size in SIZES for scheme in SCHEMES for name in NAVIGATION]
DOCS = [
    *[(name, "wide", "light") for name in ("look", "cut", "recover", "take", "runs")],
    *[("cut", "laptop", "dark"), ("cut", "phone", "light"), ("look", "wide", "dark")],
]
TALLEST = 5000
BOARDS = {
    "resnet20": "demo:resnet20-digits",
    "vgg": "demo:vgg-digits",
    "vit": "demo:vit-digits",
    "resnet50": "torchvision:resnet50",
    "densenet121": "torchvision:densenet121",
}


def main_job(page: Page, url: str) -> str:
    """Cuts the bundled model to half of its MACs, at once and in steps; gives the workspace's parameter of the URL."""
    visit(page, url, PAGES[""])
    switch(page, "Cut")
    page.get_by_role("button", name="Share it out").click()
    expect(page.locator(".strip .counter[data-kind=macs]")).to_contain_text(re.compile(r"−(49|50)\.\d%"))
    settled(page)
    switch(page, "Recover")
    page.get_by_role("button", name="Prune", exact=True).click()
    expect(result(page)).to_be_visible(timeout=5 * PATIENCE)
    by_method(page, "IFAP")
    epochs = page.get_by_role("spinbutton", name="Epochs per step")
    epochs.fill("1")
    epochs.press("Enter")
    settled(page)
    page.get_by_role("button", name="Prune", exact=True).click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0, timeout=20 * PATIENCE)
    return page.url.partition("?")[2]


def shoot(
    browser: Browser, url: str, workspace: str, folder: Path, wanted: list[tuple[str, str, str]], *, whole: bool
) -> None:
    """The pictures that are wanted, as (page, size, scheme); `whole` ones are as high as the page."""
    for name, size, scheme in wanted:
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        page = context.new_page()
        visit(page, f"{url}/{NAVIGATION[name].address}?{workspace}", NAVIGATION[name].title)
        if whole:
            tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
            page.set_viewport_size({"width": width, "height": min(tall + 20, TALLEST)})
        page.wait_for_timeout(2500)
        page.screenshot(path=folder / f"{name}-{size}-{scheme}.png")
        context.close()


def half(ref: str) -> str:
    """A link's parameter for half of a model's MACs, the units with the smallest weights gone."""
    model = load_model(ref)
    structure = analyse(model.module, model.example(), trial=False)
    found = allocate("global", structure, score("l1", model.module, structure, None), Target("macs", 0.5))
    shared = Shared(ref, model.data or "random", "l1", choice=Choice(found.budget))
    return f"{PARAMETER}={link_text(shared)}"


def shoot_boards(browser: Browser, url: str, folder: Path) -> None:
    for name, ref in BOARDS.items():
        state = half(ref)
        for scheme in ("light", "dark"):
            context = browser.new_context(viewport={"width": 1400, "height": 1400}, color_scheme=scheme)
            page = context.new_page()
            visit(page, f"{url}/cut?{state}", PAGES["cut"])
            board = page.locator(".board")
            expect(board.locator(".row").first).to_be_visible(timeout=PATIENCE)
            settled(page)
            page.wait_for_timeout(1500)
            board.screenshot(path=folder / f"board-{name}-{scheme}.png")
            context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    for name in ("boards", "docs", "whole"):
        parser.add_argument(f"--{name}", action="store_true")
    options = parser.parse_args()
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as runs, running(Path(runs)) as app, sync_playwright() as playwright:
        browser = launch(playwright, shutil.which("chromium"))
        page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
        if options.boards:
            visit(page, app.url, PAGES[""])  # a link that is a server's first request meets a dialog of Streamlit's
            shoot_boards(browser, app.url, folder)
        else:
            wanted = DOCS if options.docs else EVERY
            shoot(browser, app.url, main_job(page, app.url), folder, wanted, whole=options.whole)
        browser.close()


if __name__ == "__main__":
    main()
