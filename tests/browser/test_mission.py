"""A mission from the list to its verdict, and given to somebody else, in Chromium."""

import re

import pytest
from playwright.sync_api import expect

from .app import settled, visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_mission_is_played_to_its_end_and_given_to_another(app, page, browser):
    visit(page, f"{app.url}/missions", "Missions")
    page.get_by_role("button", name="Play").first.click()
    expect(page.get_by_role("heading", name="Cut", level=1)).to_be_visible()
    settled(page)
    beside = page.get_by_test_id("stSidebar")
    expect(beside).to_contain_text("At most 12.5 M MACs")
    page.get_by_role("spinbutton").first.fill("30")
    page.keyboard.press("Enter")
    settled(page)
    page.get_by_role("button", name="Share it out").click()
    settled(page)
    expect(beside).to_contain_text(re.compile(r"now 12\.\d M"))
    beside.get_by_role("button", name="Hand in").click()
    expect(beside).to_contain_text("All goals are met")
    expect(beside).to_contain_text("1 try")
    beside.get_by_role("link", name="All missions").click()
    expect(page.get_by_test_id("stMain").get_by_text(re.compile("all goals met")).first).to_be_visible()
    page.get_by_text("Give it to others").click()
    link = page.get_by_test_id("stCode").first.inner_text().strip()
    context = browser.new_context()
    other = context.new_page()
    other.goto(link)
    expect(other.get_by_test_id("stSidebar")).to_contain_text("First cut")
    assert "m=" not in other.url
    context.close()
