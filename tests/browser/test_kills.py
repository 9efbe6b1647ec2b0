"""The app killed while a run of its page is under way: found again by its link, the run ends as if nothing had been."""

import random
import re
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from explorer.runs.queue.desk import Desk
from explorer.runs.queue.job import BUNDLE, Job
from tests.runs.outcome import finished, left_by
from tests.runs.waiting import wait

from .app import PATIENCE, result, running, visit
from .test_main_job import start_in_steps

pytestmark = [pytest.mark.browser, pytest.mark.slow]
KILLS = 3


def start(page, url):
    """A run of three steps with training, started on the page; the page's address without the server's."""
    fields = {"Keep (%)": "60", "Largest drop (points)": "60", "Steps": "3", "Epochs per step": "1", "Seed": "7"}
    start_in_steps(page, url, fields, "Fine-tuning")
    address = urlsplit(page.url)
    return f"{address.path}?{address.query}"


def wait_for_a_step(folder):
    """Waits until the run has a finished step more than its whole network, or has ended."""
    deadline = time.monotonic() + 3 * PATIENCE / 1000
    while len(finished(folder / "bundle.partial")) < 2 and not (folder / BUNDLE).exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_run_of_the_page_outlives_the_killed_app(browser, tmp_path):
    generator = random.Random(13)
    runs = tmp_path / "runs"
    runs.mkdir()
    link, folder, steps = None, None, {}
    for _ in range(KILLS):
        with running(runs) as app:
            context = browser.new_context(viewport={"width": 1400, "height": 900})
            page = context.new_page()
            if link is None:
                link = start(page, app.url)
                (folder,) = (path.parent for path in runs.glob("*/job.json"))
            else:
                go_on(page, app.url, link)
            wait_for_a_step(folder)
            time.sleep(generator.uniform(0, 4))
            app.kill()
            context.close()
        now = finished(folder / "bundle.partial")
        assert (folder / BUNDLE).exists() or now.items() >= steps.items()
        steps = now
    with running(runs) as app:
        context = browser.new_context(viewport={"width": 1400, "height": 900})
        page = context.new_page()
        go_on(page, app.url, link)
        expect(result(page)).to_be_visible(timeout=5 * PATIENCE)
        expect(page.get_by_test_id("stException")).to_have_count(0)
        context.close()
    killed = Job.load(folder)
    assert [point["step"] for point in killed.points] == [0, 1, 2, 3]

    whole = Desk(tmp_path / "whole")
    try:
        undisturbed = wait(whole, whole.submit(killed.request), patience=5 * PATIENCE / 1000)
    finally:
        whole.close()
    assert undisturbed.warnings == []
    assert left_by(folder / BUNDLE) == left_by(Path(undisturbed.directory) / BUNDLE)


def go_on(page, url, link):
    """Opens the run by its link; where the app has given it up for too many crashes, a person lets it go on."""
    visit(page, url + link, "Recover")
    shown = page.get_by_role("button", name=re.compile("^(Cancel|Resume)$"))
    expect(shown.or_(result(page)).first).to_be_visible()
    resume = page.get_by_role("button", name="Resume")
    if resume.is_visible():
        resume.click()
        expect(resume).to_have_count(0)
