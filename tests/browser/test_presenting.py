"""The presenter's mode on a projector: what matters is in sight, large and strong in contrast, and the board obeys."""

import pytest
from playwright.sync_api import expect

from explorer.ui.navigation import PAGES

from .app import settled, visit
from .test_legible import TEXTS

pytestmark = pytest.mark.browser

CONTRAST = 7  # WCAG 2.2, 1.4.6
SIZE = 16.5  # pixels
IN_SIGHT = {"cut": "Share it out", "recover": "Prune"}  # what is to be done first, by page


@pytest.fixture
def presented(app, page):
    """A workspace that is being presented on 1280 × 720, with a cut in it."""
    page.set_viewport_size({"width": 1280, "height": 720})
    visit(page, f"{app.url}/cut?present=1", "Cut")
    expect(page.get_by_role("button", name="Stop presenting")).to_be_visible()
    page.get_by_role("button", name="Share it out").click()
    settled(page)
    return page


def faint(page):
    zoomed = page.locator(".board").evaluate_all("boards => boards.map((board) => board.currentCSSZoom)")
    texts = page.evaluate(TEXTS)
    assert len(texts) > 10
    return [
        (entry["text"], round(entry["ratio"], 1), entry["size"])
        for entry in texts
        if entry["ratio"] < CONTRAST - 0.02 or entry["size"] * max(zoomed, default=1) < SIZE
    ]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_room_can_read_every_page(app, presented, scheme):
    presented.emulate_media(color_scheme=scheme)
    address = presented.url.partition("?")[2]
    found = {}
    for name, page in PAGES.items():
        visit(presented, f"{app.url}/{page.address}?{address}", page.title)
        presented.wait_for_timeout(1000)  # charts fade in
        if bad := faint(presented):
            found[name] = sorted(set(bad))
        beyond = presented.get_by_test_id("stMain").evaluate("main => main.scrollWidth - main.clientWidth")
        assert beyond <= 0, name
        if name in IN_SIGHT:
            box = presented.get_by_role("button", name=IN_SIGHT[name], exact=True).bounding_box()
            assert box["y"] + box["height"] <= 720
    assert found == {}


def test_a_large_board_is_dragged_and_pointed_at_where_it_is_seen(presented):
    rows = presented.locator(".board .row")
    row = rows.filter(has=presented.locator(".strip[role=slider]")).first
    strip = row.locator(".strip").bounding_box()
    across = strip["y"] + strip["height"] / 2
    thumb = row.locator(".thumb").bounding_box()
    presented.mouse.move(thumb["x"] + thumb["width"] / 2, across)
    presented.mouse.down()
    presented.mouse.move(strip["x"] + strip["width"] * 0.5 + 1, across, steps=5)
    presented.mouse.up()
    settled(presented)
    slider = row.locator(".strip")
    units = int(slider.get_attribute("aria-valuemax"))
    now = int(slider.get_attribute("aria-valuenow"))
    assert abs(now - units / 2) <= 1
    presented.mouse.move(strip["x"] + strip["width"] * 0.8, across)
    tip = presented.locator(".board .tip")
    expect(tip).to_be_visible()
    box = tip.bounding_box()
    assert abs(box["x"] - (strip["x"] + strip["width"] * 0.8)) < 420


def test_nothing_moves(presented):
    lengths = presented.evaluate(
        """() => [...document.querySelectorAll("*")].map((element) => getComputedStyle(element))
             .map((style) => Math.max(...style.transitionDuration.split(",").map(parseFloat),
                                      ...style.animationDuration.split(",").map(parseFloat)))"""
    )
    assert max(lengths) <= 0.01
