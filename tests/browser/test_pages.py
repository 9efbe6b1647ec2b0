"""Every page by its own address, without errors in the console."""

import pytest
from playwright.sync_api import expect

from explorer.ui.navigation import PAGES as NAVIGATION

from .app import PAGES, running, settled, visit

pytestmark = pytest.mark.browser
IN_SIGHT = sum(not page.section for page in NAVIGATION.values())


@pytest.mark.parametrize(
    ("scheme", "width"), [pytest.param("light", 1400, marks=pytest.mark.slow), pytest.param("dark", 400)]
)
def test_every_page_opens_by_its_link_and_needs_no_sideways_scrolling(app, page, scheme, width):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    for path, title in PAGES.items():
        visit(page, f"{app.url}/{path}", title)
        expect(page.get_by_test_id("stException")).to_have_count(0)
        beyond = page.get_by_test_id("stMain").evaluate("main => main.scrollWidth - main.clientWidth")
        assert beyond <= 0, title
        if width > 1000:  # a narrow screen has them in a menu
            expect(page.get_by_role("banner").get_by_role("link")).to_have_count(IN_SIGHT)


@pytest.mark.slow
def test_a_link_to_a_page_may_be_the_first_request(browser, tmp_path):
    context = browser.new_context()
    page = context.new_page()
    with running(tmp_path) as fresh:
        visit(page, f"{fresh.url}/cut", "Cut")
        expect(page.get_by_role("banner").get_by_role("link")).to_have_count(IN_SIGHT)
        expect(page.get_by_role("dialog")).to_have_count(0)
    context.close()


def test_one_workspace_in_two_tabs(app, page, browser):
    visit(page, f"{app.url}/cut", "Cut")
    page.get_by_role("button", name="Share it out").click()
    macs = page.locator(".strip .counter[data-kind=macs]")
    expect(macs).to_contain_text("−")
    settled(page)
    context = browser.new_context()
    other = context.new_page()
    visit(other, page.url, "Cut")
    expect(other.locator(".strip .counter[data-kind=macs]")).to_have_text(macs.inner_text(), use_inner_text=True)
    context.close()
