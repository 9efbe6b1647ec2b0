"""The whole job by hand: look, choose, prune, take along."""

import re

import numpy as np
import onnxruntime
import pytest
from playwright.sync_api import expect

from .app import PAGES, PATIENCE, settled, switch, visit

pytestmark = pytest.mark.browser


def metric(page, label):
    return page.get_by_test_id("stMetric").filter(has=page.get_by_text(label, exact=True))


def cut_to_target(page):
    page.get_by_role("button", name="Cut to target").click()
    expect(page.get_by_text(re.compile(r"(49|50)\.\d% of MACs"))).to_be_visible()
    settled(page)


def start_run(page, recovery):
    switch(page, "Prune")
    page.get_by_role("radiogroup").get_by_text(recovery, exact=True).click()
    settled(page)
    page.get_by_role("button", name="Prune", exact=True).click()


def test_from_the_first_page_to_an_onnx_file_that_runs(app, page, tmp_path):
    visit(page, app.url, PAGES[""])
    expect(metric(page, "Parameters")).to_contain_text("k")
    expect(metric(page, "Accuracy")).to_contain_text("test images")

    switch(page, "Flow")
    expect(page.get_by_text("Click a row to look into its group.")).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart").first).to_be_visible()
    expect(page.get_by_text("Highest scores")).to_be_visible()

    switch(page, "Budget")
    cut_to_target(page)
    expect(metric(page, "Accuracy, simulated by mask")).to_contain_text("%")

    start_run(page, "Batch-norm recalibration")
    expect(page.get_by_role("heading", name="Before and after")).to_be_visible(timeout=3 * PATIENCE)
    expect(page.get_by_role("table")).to_contain_text("As cut")

    switch(page, "Export")
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


def test_the_budget_survives_page_switches_and_reloads(app, page):
    visit(page, f"{app.url}/channel-budget", "Budget")
    page.get_by_role("button", name="Apply to all").click()
    expect(metric(page, "MACs")).to_contain_text("−")
    settled(page)
    before = metric(page, "MACs").inner_text()
    switch(page, "Model")
    switch(page, "Budget")
    expect(metric(page, "MACs")).to_have_text(before, use_inner_text=True)
    page.reload()
    expect(metric(page, "MACs")).to_have_text(before, use_inner_text=True)
    settled(page)
    page.get_by_role("button", name="Undo").click()
    expect(metric(page, "MACs")).to_contain_text("±0%")
    page.get_by_role("button", name="Redo").click()
    expect(metric(page, "MACs")).to_have_text(before, use_inner_text=True)


def test_a_slider_moves_the_numbers_by_keyboard(app, page):
    visit(page, f"{app.url}/channel-budget", "Budget")
    expect(metric(page, "MACs")).to_contain_text("±0%")
    slider = page.get_by_role("slider").first
    slider.focus()
    slider.press("ArrowRight")
    expect(metric(page, "MACs")).to_contain_text("−")


def wait_until_recovering(page):
    expect(page.get_by_text(re.compile("recovering", re.IGNORECASE)).first).to_be_visible(timeout=2 * PATIENCE)


def test_a_killed_worker_fails_its_run_and_the_next_one_works_until_cancelled(app, page):
    visit(page, f"{app.url}/channel-budget", "Budget")
    cut_to_target(page)
    start_run(page, "Fine-tuning")
    wait_until_recovering(page)
    app.kill_worker()
    expect(page.get_by_text("The run failed")).to_be_visible()
    page.get_by_role("button", name="Prune", exact=True).click()
    wait_until_recovering(page)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("The run was cancelled")).to_be_visible()
    expect(page.get_by_role("button", name="Prune", exact=True)).to_be_enabled()


def test_a_click_on_the_heatmap_chooses_the_group(app, page):
    visit(page, f"{app.url}/channel-flow", "Flow")
    chart = page.get_by_test_id("stVegaLiteChart").first
    row = chart.get_by_text("layer3.1.conv1", exact=True)
    expect(row).to_be_visible()
    chart.click(position={"x": 600, "y": row.bounding_box()["y"] - chart.bounding_box()["y"] + 6})
    expect(page.get_by_text("layer3.1.conv1: the units score")).to_be_visible()


def test_a_wrong_ref_costs_nothing(app, page):
    visit(page, app.url, PAGES[""])
    chooser = page.get_by_role("combobox", name="Model")
    chooser.fill("demo:resnet21-digits")
    chooser.press("Enter")
    expect(page.get_by_text("demo:resnet20-digits on digits stays open")).to_be_visible()
    expect(metric(page, "Parameters")).to_be_visible()
