"""The whole job at every size of a screen, in both themes: look, cut, recover, take; and all of it without a mouse."""

import re
import time

import onnxruntime
import pytest
from playwright.sync_api import expect

from tests.sources.folders import Made

from .app import PAGES, PATIENCE, choose, result, settled, visit
from .test_legible import hard_to_read

pytestmark = pytest.mark.browser

SIZES = {"laptop": (1366, 640), "wide": (1440, 900), "large": (1920, 1080), "phone": (400, 860)}


def onward(page, title):
    """To the next step by the link that the page itself offers."""
    link = page.get_by_role("link", name=f"Next: {title}")
    expect(link).to_have_count(1)  # while a page is drawn anew, what stood there stays for a moment
    link.click()
    arrived(page, title)


def arrived(page, title):
    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
    settled(page)


def well_placed(page, *, primary=None):
    """Nothing needs scrolling sideways, all text can be read, and what is to be done first is in sight."""
    beyond = page.get_by_test_id("stMain").evaluate("main => main.scrollWidth - main.clientWidth")
    assert beyond <= 0
    assert hard_to_read(page) == []
    if primary is not None:
        box = primary.bounding_box()
        assert box["y"] + box["height"] <= page.viewport_size["height"]


def cut_in_half(page):
    share = page.get_by_role("button", name="Share it out")
    well_placed(page, primary=share)
    share.click()
    expect(page.locator(".strip .counter[data-kind=macs]")).to_contain_text(re.compile(r"−(49|50)\.\d%|20\.\d M"))
    for stage in ("cut", "repaired"):
        expect(page.locator(f".strip .stage[data-stage={stage}] .value")).to_contain_text("%")
    settled(page)
    well_placed(page)


def taken(page, folder):
    """The ONNX file of the run that has just ended, opened."""
    page.wait_for_timeout(1000)  # charts fade in
    well_placed(page)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="model.onnx").click()
    waiting.value.save_as(folder / "model.onnx")
    return onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_a_demo_network_is_halved_and_taken_along(app, page, size, scheme, tmp_path):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(dict(zip(("width", "height"), SIZES[size], strict=True)))
    visit(page, app.url, PAGES[""])
    page.get_by_text("Highest scores").wait_for()
    page.wait_for_timeout(1000)  # charts fade in
    well_placed(page)
    onward(page, "Cut")
    cut_in_half(page)
    onward(page, "Recover")
    prune = page.get_by_role("button", name="Prune", exact=True)
    well_placed(page, primary=prune if size != "phone" else None)
    prune.click()
    result(page).click(timeout=3 * PATIENCE)
    arrived(page, "Take")
    session = taken(page, tmp_path)
    assert session.get_inputs()[0].shape[1:] == [1, 32, 32]


def everywhere(page):
    """The page as it stands at every size, in both themes."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width, height in SIZES.values():
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(1000)  # charts are drawn anew
            settled(page)
            well_placed(page)
    page.set_viewport_size({"width": 1440, "height": 900})


@pytest.mark.slow
def test_a_folder_of_pictures_is_trained_on_halved_and_taken_along(app, page, tmp_path):
    folder = tmp_path / "animals"
    Made(folder).classes(".", count=40, names="cat dog bird")
    visit(page, app.url, PAGES[""])
    choose(page, "torchvision:resnet18?stem=cifar", "torchvision:resnet18?stem=cifar")
    expect(page.get_by_text("Untrained: random weights").first).to_be_visible()
    choose(page, str(folder), f"folder:{folder}")
    expect(page.get_by_text("3 classes").first).to_be_visible()
    settled(page)
    everywhere(page)
    expect(page.get_by_text("untrained: it guesses").first).to_be_visible()
    page.get_by_role("spinbutton", name="Epochs").fill("2")
    page.get_by_role("spinbutton", name="Epochs").press("Enter")
    settled(page)
    page.get_by_role("button", name="Train it on this data").click()
    page.get_by_role("button", name="Go on with the trained network").click(timeout=3 * PATIENCE)
    settled(page)
    expect(page.get_by_text("trained from torchvision:resnet18").first).to_be_visible()
    onward(page, "Cut")
    page.get_by_role("button", name="Score the channels").click()
    page.get_by_role("button", name="Share it out").click(timeout=3 * PATIENCE)
    expect(page.locator(".strip .stage[data-stage=repaired] .value")).to_contain_text("%", timeout=3 * PATIENCE)
    settled(page)
    everywhere(page)
    onward(page, "Recover")
    page.get_by_role("radio", name="Nothing", exact=True).check()
    settled(page)
    everywhere(page)
    page.get_by_role("button", name="Prune", exact=True).click()
    expect(result(page)).to_be_visible(timeout=3 * PATIENCE)
    everywhere(page)
    result(page).click()
    arrived(page, "Take")
    everywhere(page)
    session = taken(page, tmp_path)
    assert session.get_outputs()[0].shape[-1] == 3


@pytest.mark.slow
def test_a_newcomer_is_done_in_three_minutes(app, page, tmp_path):
    """By what the pages say alone, at the pace of a quick reader: the app's own waits must leave time to think."""
    start = time.monotonic()
    visit(page, app.url, PAGES[""])
    onward(page, "Cut")
    page.get_by_role("button", name="Share it out").click()
    settled(page)
    onward(page, "Recover")
    page.get_by_role("button", name="Prune", exact=True).click()
    result(page).click(timeout=3 * PATIENCE)
    arrived(page, "Take")
    taken(page, tmp_path)
    assert time.monotonic() - start < 180


def press(page, role, name, key="Enter"):
    """A control that is found by its role and name, as a screen reader does, and pressed by a key."""
    control = page.get_by_role(role, name=name, exact=True).first
    control.focus()
    expect(control).to_be_focused()
    page.keyboard.press(key)


@pytest.mark.slow
def test_the_whole_job_without_a_mouse(app, page):
    visit(page, app.url, PAGES[""])
    expect(page.get_by_role("region", name="What the network reaches and costs")).to_be_visible()
    press(page, "link", "Next: Cut")
    arrived(page, "Cut")
    expect(page.get_by_role("group", name="Cut lines of all groups")).to_be_visible()
    press(page, "button", "Share it out")
    expect(page.locator(".strip .stage[data-stage=cut] .value")).to_contain_text("%")
    settled(page)
    line = page.get_by_role("group", name="layer3.1.conv1", exact=True).get_by_role("slider")
    before = line.get_attribute("aria-valuenow")
    line.focus()
    page.keyboard.press("ArrowRight")
    expect(line).not_to_have_attribute("aria-valuenow", before)
    settled(page)
    press(page, "link", "Next: Recover")
    arrived(page, "Recover")
    press(page, "radio", "Nothing", "Space")
    settled(page)
    press(page, "button", "Prune")
    expect(result(page)).to_be_visible(timeout=3 * PATIENCE)
    press(page, "button", "Take it")
    arrived(page, "Take")
    expect(page.get_by_role("button", name="model.onnx").first).to_be_enabled()


@pytest.mark.slow
def test_two_people_do_not_see_each_others_runs(app, page, browser):
    """With other models, and also on the page of all runs, unless they look for them."""
    visit(page, app.url, PAGES[""])
    choose(page, "vgg-digits", "demo:vgg-digits")
    expect(page.get_by_role("button", name="demo:vgg-digits · digits").first).to_be_visible()
    settled(page)
    onward(page, "Cut")
    page.get_by_role("button", name="Share it out").click()
    settled(page)
    onward(page, "Recover")
    page.get_by_role("radio", name="Nothing", exact=True).check()
    settled(page)
    page.get_by_role("button", name="Prune", exact=True).click()
    expect(result(page)).to_be_visible(timeout=3 * PATIENCE)
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    other = context.new_page()
    for path in ("runs", "take"):
        other.goto(f"{app.url}/{path}")
        arrived(other, path.capitalize())
        expect(other.get_by_test_id("stMain")).not_to_contain_text("vgg")
    context.close()
