"""Every lesson that is shipped, played by a machine: its states pass its checks, its reveals can be measured."""

import pytest

from explorer.learning.lessons.headless import DirectBench, checked_by_machine
from explorer.learning.lessons.lesson import Do
from explorer.learning.lessons.reading import OPENING, lessons
from explorer.ui.navigation import PAGES


def test_the_lessons_can_be_read_and_lead_to_pages_that_there_are():
    found = lessons()
    assert next(iter(found)) == OPENING
    assert [lesson.number for lesson in found.values()] == sorted({lesson.number for lesson in found.values()})
    assert all(card.page in PAGES for lesson in found.values() for card in lesson.cards if isinstance(card, Do))


@pytest.fixture(scope="module")
def bench():
    return DirectBench()


@pytest.mark.slow
@pytest.mark.parametrize("name", lessons())
def test_a_lesson_holds_what_it_says(name, bench):
    checked_by_machine(lessons()[name], bench)
