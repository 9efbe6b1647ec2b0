"""The page of runs in Chromium: rows and names choose the same, and a run is renamed and deleted by hand."""

import pytest
from playwright.sync_api import expect

from explorer import owned
from tests.runs import damage

from .app import running, settled, visit

pytestmark = pytest.mark.browser


def ticked(page, row: int) -> None:
    """Clicks the box at the beginning of a row of the table, which is drawn on a canvas."""
    place = page.get_by_test_id("stDataFrame").first.bounding_box()
    page.mouse.click(place["x"] + 16, place["y"] + 18 + 35 * row)
    settled(page)


@pytest.mark.slow
def test_runs_are_chosen_by_rows_and_names_renamed_and_deleted(tmp_path, browser):
    for name in ("first", "second"):
        damage.bundle(tmp_path / name, name)
        owned.mark(tmp_path / name, owned.BUNDLE)
    with running(tmp_path) as app:
        page = browser.new_context(viewport={"width": 1366, "height": 900}).new_page()
        visit(page, f"{app.url}/runs", "Runs")
        expect(page.get_by_test_id("stDataFrame").first).to_be_visible()
        ticked(page, 1)
        expect(page.get_by_role("heading", name="second")).to_be_visible()
        names = page.get_by_role("combobox", name="Chosen runs")
        names.click()
        page.get_by_role("option", name="first").click()
        page.keyboard.press("Escape")
        expect(page.get_by_role("heading", name="Channels")).to_be_visible()
        ticked(page, 1)
        expect(page.get_by_role("heading", name="first")).to_be_visible()
        page.get_by_role("button", name="Name and notes").click()
        page.get_by_role("textbox", name="Name").fill("the small one")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", name="the small one")).to_be_visible()
        page.get_by_role("button", name="Delete", exact=True).click()
        page.get_by_role("button", name="Delete it for good").click()
        expect(page.get_by_role("heading", name="the small one")).to_have_count(0)
        assert not (tmp_path / "first").exists()
        assert (tmp_path / "second").is_dir()
        page.context.close()
