"""Choosing in the dialog, with the keyboard and the mouse: what was open is gone at once, progress stands there."""

import re

import pytest
from playwright.sync_api import expect

from .app import choose, settled, switch, visit

pytestmark = pytest.mark.browser


def test_another_model_shows_its_progress_and_never_the_old_numbers(app, page):
    visit(page, app.url, "Look")
    main = page.get_by_test_id("stMain")
    expect(main).to_contain_text("ResNet-20, handwritten digits")
    choose(page, "vgg shapes", "demo:vgg-shapes")
    expect(page.get_by_role("heading", name=re.compile("Opening"), level=1)).to_be_visible()
    expect(main).to_contain_text("Reading the")
    said = main.inner_text()
    if "Opening" in said:  # else it is open already
        assert "ResNet-20" not in said
        expect(page.locator(".strip .stage")).to_have_count(0)
    expect(page.get_by_role("heading", name="Look", level=1)).to_be_visible()
    expect(main).to_contain_text("Slim VGG, shapes and textures")
    settled(page)
    assert "ResNet-20" not in main.inner_text()
    expect(page.get_by_role("heading", name=re.compile("Opening"), level=1)).to_have_count(0)


def test_the_chooser_opens_over_another_page_and_what_is_refused_leaves_all_as_it_was(app, page, tmp_path):
    visit(page, f"{app.url}/cut", "Cut")
    (tmp_path / "empty").mkdir()
    choose(page, str(tmp_path / "empty"), "folder:")
    expect(page.get_by_text("demo:resnet20-digits on digits stays open")).to_be_visible()
    expect(page.get_by_role("heading", name="Cut", level=1)).to_be_visible()
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.get_by_text("stays open")).to_have_count(0)
    switch(page, "Look")
    expect(page.get_by_test_id("stMain")).to_contain_text("ResNet-20, handwritten digits")


def test_a_sample_is_looked_into(app, page):
    visit(page, app.url, "Look")
    expect(page.get_by_role("img", name=re.compile("^One of the images, of 3"))).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("^Evidence for 0: most of it in"))).to_be_visible()
    page.get_by_text("Sharpen slowly").click()
    expect(page.get_by_text("The picture goes from blurred to sharp")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("^Evidence for 0: most of it in"))).to_be_visible()
