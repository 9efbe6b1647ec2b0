"""The whole job by hand: look, choose, prune, take along."""

import re

import numpy as np
import onnxruntime
import pytest
from playwright.sync_api import expect

from .app import PAGES, PATIENCE, by_method, choose, result, settled, switch, visit
from .boards import at, removed, row, slider

pytestmark = pytest.mark.browser


def metric(page, label):
    return page.get_by_test_id("stMetric").filter(has=page.get_by_text(label, exact=True))


def stage(page, name):
    """One of the stages in the strip: whole, cut, repaired, trained."""
    return page.locator(f".strip .stage[data-stage={name}]")


def on_board(page, kind):
    """One of the costs in the strip, once it is there."""
    found = page.locator(f".strip .counter[data-kind={kind}]")
    expect(found).to_contain_text("%")
    return found


def cut_to_target(page):
    page.get_by_role("button", name="Share it out").click()
    expect(on_board(page, "macs")).to_contain_text(re.compile(r"−(49|50)\.\d%"))
    settled(page)


def start_run(page, recovery):
    switch(page, "Recover")
    page.get_by_role("radio", name=recovery, exact=True).check()
    settled(page)
    page.get_by_role("button", name="Prune", exact=True).click()


def test_from_the_first_page_to_an_onnx_file_that_runs(app, page, tmp_path):
    visit(page, app.url, PAGES[""])
    page.get_by_text("Numbers of the network").click()
    expect(metric(page, "Parameters")).to_contain_text("k")
    expect(metric(page, "Accuracy")).to_contain_text("test images")
    expect(page.get_by_text("Click a row to look into its group.")).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart").first).to_be_visible()
    expect(page.get_by_text("Highest scores")).to_be_visible()

    switch(page, "Cut")
    cut_to_target(page)
    expect(stage(page, "cut")).to_contain_text("%")
    expect(stage(page, "repaired")).to_contain_text("%")

    start_run(page, "Repair without training")
    expect(result(page)).to_be_visible(timeout=3 * PATIENCE)
    expect(page.get_by_text(re.compile(r"of the MACs left. Accuracy \d+"))).to_be_visible()
    page.get_by_text("Before and after").click()
    expect(page.get_by_role("table")).to_contain_text("As cut")

    result(page).click()
    expect(page.get_by_role("heading", name="Take", level=1)).to_be_visible()
    settled(page)
    expect(page.get_by_text("Checked before you download")).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="model.onnx").click()
    waiting.value.save_as(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    images = np.zeros((5, *entry.shape[1:]), dtype=np.float32)
    (logits,) = session.run(None, {entry.name: images})
    assert logits.shape == (5, 10)
    assert np.isfinite(logits).all()

    page.get_by_role("button", name="Open the pruned network here").click()
    expect(page.get_by_role("heading", name=PAGES[""], level=1)).to_be_visible()
    expect(metric(page, "MACs")).to_contain_text("20.")


def test_a_drag_moves_the_cost_before_it_ends_and_the_accuracy_after_and_survives_all_but_an_undo(app, page):
    visit(page, f"{app.url}/cut", "Cut")
    expect(stage(page, "whole")).to_contain_text("%")
    macs, params = on_board(page, "macs"), on_board(page, "params")
    whole = macs.inner_text(), params.inner_text()
    x, y = at(page, "layer3.1.conv1", 0.01)
    page.mouse.move(x, y)
    page.mouse.down()
    x, y = at(page, "layer3.1.conv1", 0.6)
    page.mouse.move(x, y, steps=6)
    expect(macs).not_to_have_text(whole[0], use_inner_text=True)
    expect(params).not_to_have_text(whole[1], use_inner_text=True)
    expect(stage(page, "cut")).to_have_count(0)
    page.mouse.up()
    expect(stage(page, "cut")).to_contain_text("%")
    expect(page.get_by_text("One point tried")).to_be_visible()
    settled(page)
    dragged = macs.inner_text()

    switch(page, "Look")
    switch(page, "Cut")
    expect(macs).to_have_text(dragged, use_inner_text=True)
    page.reload()
    expect(macs).to_have_text(dragged, use_inner_text=True)
    expect(stage(page, "cut")).to_contain_text("%")
    settled(page)
    page.get_by_role("button", name="Undo").click()
    expect(macs).to_have_text(whole[0], use_inner_text=True)
    expect(stage(page, "cut")).to_have_count(0)
    settled(page)
    page.get_by_role("button", name="Redo").click()
    expect(macs).to_have_text(dragged, use_inner_text=True)


def test_the_main_job_needs_no_mouse(app, page):
    visit(page, f"{app.url}/cut", "Cut")
    macs = on_board(page, "macs")
    whole = macs.inner_text()
    slider(page, "layer1.0.conv1").focus()
    page.keyboard.press("PageUp")
    page.keyboard.press("ArrowRight")
    expect(macs).not_to_have_text(whole, use_inner_text=True)
    expect(stage(page, "cut")).to_contain_text("%")
    settled(page)
    page.keyboard.press("l")
    expect(row(page, "layer1.0.conv1").get_by_role("button", pressed=True)).to_be_visible()
    settled(page)
    locked = removed(page, "layer1.0.conv1")
    page.get_by_role("button", name="Share it out").focus()
    page.keyboard.press("Enter")
    expect(macs).to_contain_text(re.compile(r"−(49|50)\.\d%"))
    assert removed(page, "layer1.0.conv1") == locked > 0
    settled(page)
    page.keyboard.press("Control+z")
    expect(macs).not_to_contain_text(re.compile(r"−(49|50)\.\d%"))


def test_a_cell_opens_its_channel(app, page):
    visit(page, f"{app.url}/cut", "Cut")
    settled(page)
    x, y = at(page, "layer1.0.conv1", 0.9)
    page.mouse.click(x, y)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("where 1 leaves first")).to_be_visible()
    expect(dialog.get_by_text("Taking it out of the whole network saves")).to_be_visible()
    expect(dialog.get_by_role("img").first).to_be_visible()


def test_a_link_opens_the_same_state_elsewhere(app, page, browser):
    visit(page, f"{app.url}/cut", "Cut")
    cut_to_target(page)
    shown = on_board(page, "macs").inner_text()
    page.get_by_role("button", name="Share", exact=True).click()
    link = page.get_by_test_id("stCode").inner_text().strip()
    context = browser.new_context()
    other = context.new_page()
    visit(other, link, "Cut")
    expect(on_board(other, "macs")).to_have_text(shown, use_inner_text=True)
    assert other.url.partition("w=")[2] != page.url.partition("w=")[2]
    context.close()


def test_native_sliders_do_the_same(app, page):
    visit(page, f"{app.url}/cut", "Cut")
    page.get_by_text("Native sliders", exact=True).click()
    settled(page)
    expect(page.locator(".board")).to_have_count(0)
    native = page.get_by_role("slider").first
    native.focus()
    native.press("ArrowRight")
    expect(stage(page, "cut")).to_contain_text("%")
    settled(page)
    page.get_by_text("Native sliders", exact=True).click()
    expect(on_board(page, "macs")).to_contain_text("−")
    assert removed(page, "conv1") == 1


def wait_until_recovering(page):
    expect(page.get_by_text(re.compile("recovering", re.IGNORECASE)).first).to_be_visible(timeout=2 * PATIENCE)


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_the_run_goes_on_until_cancelled(app, page):
    visit(page, f"{app.url}/cut", "Cut")
    cut_to_target(page)
    start_run(page, "Fine-tune")
    wait_until_recovering(page)
    app.kill_worker()
    expect(page.get_by_text("the run went on")).to_be_visible()
    wait_until_recovering(page)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("The run was cancelled")).to_be_visible()
    expect(page.get_by_role("button", name="Prune", exact=True)).to_be_enabled()


def fill(page, label, value):
    """Writes a number into a control, which may be folded away."""
    entry = page.get_by_role("spinbutton", name=label)
    if entry.count() == 0:
        page.get_by_text("More settings", exact=True).click()
    entry.fill(value)
    entry.press("Enter")
    settled(page)


def start_in_steps(page, url, fields, recovery):
    """Starts a run of IFAP on the Recover page, with these numbers and this recovery."""
    visit(page, f"{url}/recover", "Recover")
    by_method(page, "IFAP")
    for label, value in fields.items():
        fill(page, label, value)
    page.get_by_role("combobox", name="After each step").click()
    page.get_by_role("option", name=recovery).click()
    settled(page)
    page.get_by_role("button", name="Prune", exact=True).click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()


@pytest.mark.slow
def test_a_run_in_steps_is_found_again_after_its_tab_was_closed_and_compared(app, browser):
    first = browser.new_context(viewport={"width": 1400, "height": 900})
    page = first.new_page()
    fields = {"Keep (%)": "80", "Largest drop (points)": "60", "Steps": "3"}
    start_in_steps(page, app.url, fields, "Batch-norm recalibration")
    address = page.url
    first.close()

    second = browser.new_context(viewport={"width": 1400, "height": 900})
    page = second.new_page()
    visit(page, address, "Recover")
    expect(page.get_by_text(re.compile(r"of the MACs left, validation top-1"))).to_be_visible(timeout=3 * PATIENCE)
    expect(page.get_by_role("slider", name="Step")).to_be_visible(timeout=3 * PATIENCE)
    expect(result(page)).to_be_visible(timeout=3 * PATIENCE)
    page.get_by_text("Before and after").click()
    expect(page.get_by_text("After step 3")).to_have_count(1)  # the picture of the running one goes
    switch(page, "Runs")
    expect(page.get_by_text(re.compile(r"The smallest keeps \d+% of the MACs"))).to_be_visible()
    expect(page.get_by_text("Was it worth it?")).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart").first).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)
    second.close()


def test_a_click_on_the_heatmap_chooses_the_group(app, page):
    visit(page, f"{app.url}/", "Look")
    charts = page.get_by_test_id("stVegaLiteChart")
    chart = charts.filter(has=page.get_by_text("Units, lowest score first"))
    row = chart.get_by_text("layer3.1.conv1", exact=True)
    expect(row).to_be_visible()
    chart.click(position={"x": 600, "y": row.bounding_box()["y"] - chart.bounding_box()["y"] + 6})
    expect(page.get_by_text("layer3.1.conv1: the units score")).to_be_visible()


def test_a_wrong_ref_costs_nothing(app, page):
    visit(page, app.url, PAGES[""])
    choose(page, "demo:resnet20-digits?size=7000", "demo:resnet20-digits?size=7000")
    expect(page.get_by_text("demo:resnet20-digits on digits stays open")).to_be_visible()
    expect(page.get_by_text("It answers all of these")).to_be_visible()
