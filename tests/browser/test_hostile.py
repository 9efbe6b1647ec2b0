"""Hostile names in every place, in a real browser: nothing is asked of another host, linked to, drawn or run."""

import json
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from explorer.ui.state.share import PARAMETER, Shared, link_text
from explorer.ui.state.workspace import MODEL
from tests.hostile import HOST, MEANT, TEXTS, hostile_run, read

from .app import PAGES, PATIENCE, running, settled, visit

pytestmark = pytest.mark.browser

RUNS, REFS = "runs-full-of-hostile-texts", "refs-full-of-hostile-texts"  # the tokens of two workspaces
FOREIGN = """hosts => {
    const found = [];
    const asks = (name, value) => /^on/.test(name) || /^\\s*javascript:/i.test(value) ||
        (["href", "src", "srcset", "action", "data"].includes(name) && hosts.some((host) => value.includes(host)));
    const look = (root) => {
        for (const element of root.querySelectorAll("*")) {
            if (element.shadowRoot) look(element.shadowRoot);
            if ([...element.attributes].some(({name, value}) => asks(name, value)))
                found.push(element.outerHTML.slice(0, 200));
        }
    };
    look(document);
    return found;
}"""


@contextmanager
def watched(browser):
    """A page of which every request, dialog and link is looked at; the test fails where one is not the app's own."""
    context = browser.new_context(viewport={"width": 1366, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    asked, dialogs = [], []
    context.on("request", lambda request: asked.append(request.url))
    context.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    yield page
    context.close()
    assert [url for url in asked if not url.startswith(("http://localhost:", "data:", "blob:"))] == []
    assert dialogs == []


def assert_nothing_foreign(page) -> None:
    assert page.evaluate(FOREIGN, [HOST, "198.51.100"]) == []
    for mark in (".katex", "span:text-is('loud')", ".stMarkdownBadge:text-is('x')", "img[alt='Streamlit logo']"):
        expect(page.get_by_test_id("stMain").locator(mark)).to_have_count(0)


def unfold(page) -> None:
    """Opens whatever is folded away, one after the other, and looks at it."""
    for summary in page.get_by_test_id("stExpander").locator("summary").all()[:6]:
        summary.click()
    settled(page)
    assert_nothing_foreign(page)
    for folded, look in (("stPopoverButton", "click"), ("stTooltipIcon", "hover")):
        for place in page.get_by_test_id(folded).all()[:4]:
            if place.is_visible():
                getattr(place, look)()
                page.wait_for_timeout(200)
                assert_nothing_foreign(page)
                page.keyboard.press("Escape")
    page.mouse.move(0, 0)


@pytest.fixture(scope="module")
def hostile_app(tmp_path_factory):
    """A server whose folder of runs holds hostile runs of two workspaces."""
    root = tmp_path_factory.mktemp("hostile")
    hostile_run(root, RUNS, 1, state="failed")
    hostile_run(root, RUNS, 3)
    hostile_run(root, REFS, 4, kept=MEANT - {"model", "data"})
    with running(root) as app:
        yield app


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Pictures in ten folders of hostile names, as data of ten classes."""
    root = tmp_path_factory.mktemp("pictures")
    drawn = np.random.default_rng(0)
    names = [text.replace("/", "∕").replace("\0", "")[:60] for text in TEXTS if "\ud800" not in text]
    for name in names[:10]:
        (root / name).mkdir()
        for number in range(12):
            pixels = drawn.integers(0, 255, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{name[:30]} {number}.png")
    return root


def test_a_hostile_link_is_said_once_as_it_is_written(hostile_app, browser):
    text = " ".join(TEXTS[:5])
    with watched(browser) as page:
        visit(page, f"{hostile_app.url}/?{PARAMETER}={link_text(Shared(MODEL, text))}", PAGES[""])
        alert = page.get_by_test_id("stAlert")
        expect(alert).to_have_count(1)
        assert read(text) in read(alert.inner_text())
        assert_nothing_foreign(page)
        page.reload()
        settled(page)
        expect(alert).to_have_count(0)


@pytest.mark.slow
@pytest.mark.parametrize("token", [RUNS, REFS])
def test_no_page_obeys_what_runs_say(hostile_app, browser, token):
    with watched(browser) as page:
        for path, title in PAGES.items():
            visit(page, f"{hostile_app.url}/{path}?w={token}", title)
            expect(page.get_by_test_id("stException")).to_have_count(0)
            assert_nothing_foreign(page)
            unfold(page)
        if token == REFS:
            visit(page, f"{hostile_app.url}/cut?w={token}", "Cut")
            assert "can't be opened" in page.get_by_test_id("stAlert").first.inner_text()


@pytest.mark.slow
def test_no_page_obeys_names_of_classes_and_files(hostile_app, browser, pictures):
    with watched(browser) as page:
        link = link_text(Shared(MODEL, f"folder:{pictures}"))
        visit(page, f"{hostile_app.url}/?{PARAMETER}={link}", PAGES[""])
        expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)
        token = page.url.partition("w=")[2]
        for path, title in PAGES.items():
            visit(page, f"{hostile_app.url}/{path}?w={token}", title)
            expect(page.get_by_test_id("stException")).to_have_count(0)
            unfold(page)


@pytest.mark.slow
def test_nothing_that_is_typed_or_uploaded_is_obeyed(hostile_app, browser, tmp_path):
    with watched(browser) as page:
        visit(page, hostile_app.url, PAGES[""])
        page.locator(".st-key-chip button").locator("visible=true").first.click()
        box = page.get_by_role("dialog").get_by_role("textbox", name="Search")
        for text in (TEXTS[0], TEXTS[4], f"folder:{TEXTS[2]}", f"/{TEXTS[12]}", ""):
            box.fill(text)
            box.press("Enter")
            settled(page)
            assert_nothing_foreign(page)
        page.get_by_role("dialog").get_by_text("Your own", exact=True).click()
        file = tmp_path / "![x](http:∕∕evil.example∕a.png) <img src=x onerror=alert(1)>.pth"
        file.write_bytes(b"no weights")
        page.locator("input[type=file]").last.set_input_files(file)
        page.get_by_role("textbox", name="Network").fill(TEXTS[1])
        settled(page)
        page.get_by_test_id("stBaseButton-primaryFormSubmit").last.click()
        settled(page)
        assert_nothing_foreign(page)
        visit(page, f"{hostile_app.url}/cut", "Cut")
        plan = tmp_path / "[click](http:∕∕evil.example).json"
        plan.write_text(json.dumps({"base": MODEL, "budget": {TEXTS[0]: 0.5}, "locked": [TEXTS[1]]}))
        page.get_by_role("button", name="Share", exact=True).click()
        page.locator("input[type=file]").set_input_files(plan)
        expect(page.get_by_test_id("stAlert").last).to_contain_text("group")
        assert read(TEXTS[0]) in read(page.get_by_test_id("stAlert").last.inner_text())
        assert_nothing_foreign(page)
