"""Every lesson is played to its end in a browser, beside the pages that it is about."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from explorer.learning.lessons.lesson import Do, Lesson, Predict, Reveal
from explorer.learning.lessons.reading import OPENING, lessons
from tests.browser.app import App, settled, visit

LESSONS = [lesson for lesson in lessons().values() if lesson.name != OPENING]
LONG = 400_000  # milliseconds that a training may take on a busy machine


def panel(page: Page) -> Locator:
    return page.locator(".st-key-lesson")


def onward(page: Page, place: int) -> Locator:
    return page.locator(f".st-key-lesson-next-{place + 1} button")


def play(page: Page, lesson: Lesson) -> None:
    """From the first card to the last, each met as its own buttons allow."""
    for place, card in enumerate(lesson.cards):
        expect(panel(page)).to_contain_text(f"Card {place + 1} of {len(lesson.cards)}")
        expect(panel(page)).to_contain_text(card.title)
        if isinstance(card, Predict):
            predict(page, card)
        elif isinstance(card, Do) and card.set is not None:
            panel(page).get_by_role("button", name="Do it for me").click()
        elif isinstance(card, Reveal):
            train(page, place, card)
        expect(onward(page, place)).to_have_text(re.compile("Next|Finish"), timeout=LONG)
        onward(page, place).click()
    expect(panel(page)).to_contain_text("Finished")
    expect(panel(page)).to_contain_text("Every card is done.")


def predict(page: Page, card: Predict) -> None:
    if card.options is None:
        panel(page).get_by_role("button", name="This is my guess").click()
    else:
        panel(page).get_by_role("radiogroup").get_by_text(card.options[0], exact=True).click()
    expect(panel(page)).to_contain_text("Kept:")


def train(page: Page, place: int, card: Reveal) -> None:
    """Starts the trainings that a reveal offers, unless the lesson has them by now."""
    for measure in card.measure:
        if measure.recovery == "finetune":
            offered = panel(page).get_by_role("button", name=f"Train it: {measure.label}")
            expect(offered.or_(onward(page, place).get_by_text(re.compile("Next|Finish")))).to_be_visible(timeout=LONG)
            if offered.is_visible():
                offered.click()


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_lesson_is_played_to_its_end(app: App, page: Page, lesson: Lesson) -> None:
    visit(page, f"{app.url}/learn", "Learn")
    page.locator(f".st-key-lesson-start-{lesson.name} button").click()
    settled(page)
    play(page, lesson)
