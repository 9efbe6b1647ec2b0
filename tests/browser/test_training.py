"""One's own folder of pictures from a fresh start: choose an untrained network, train it, see it on the board."""

import pytest
from playwright.sync_api import expect

from tests.sources.folders import Made

from .app import PAGES, PATIENCE, choose, settled, switch, visit

pytestmark = pytest.mark.browser


def test_a_resnet_learns_a_folder_and_comes_onto_the_board(app, page, tmp_path):
    Made(tmp_path).classes(".", names="cat dog bird")
    visit(page, app.url, PAGES[""])
    choose(page, "torchvision:resnet18?stem=cifar", "torchvision:resnet18?stem=cifar")
    expect(page.get_by_text("Untrained: random weights").first).to_be_visible()
    choose(page, str(tmp_path), f"folder:{tmp_path}")
    expect(page.get_by_text("3 classes").first).to_be_visible()
    settled(page)
    page.get_by_role("spinbutton", name="Epochs").fill("2")
    page.get_by_role("spinbutton", name="Epochs").press("Enter")
    settled(page)
    switch(page, "Look")
    expect(page.get_by_text("untrained: it guesses").first).to_be_visible()
    switch(page, "Look")
    page.get_by_role("button", name="Train it on this data").click()
    page.get_by_role("button", name="Go on with the trained network").click(timeout=3 * PATIENCE)
    settled(page)
    expect(page.get_by_text("trained from torchvision:resnet18").first).to_be_visible()
    switch(page, "Cut")
    page.get_by_role("button", name="Score the channels").click()
    expect(page.locator(".strip .counter[data-kind=macs]")).to_contain_text("M", timeout=3 * PATIENCE)
