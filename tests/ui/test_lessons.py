"""The lesson beside the pages, the page Learn, and what a first visit is offered."""

from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from explorer.learning.lessons.lesson import Reveal
from explorer.learning.lessons.reading import OPENING, find_lesson, lessons
from explorer.ui.parts import lesson, lesson_bench
from explorer.ui.parts.holding import HOLDS
from explorer.ui.state import session
from explorer.ui.state.workspace import WORKSPACES
from tests.ui.pages import ROOT, button, desk_of, visited, words_of

CLIFF = "the-cliff"


@pytest.fixture
def space(tmp_path, monkeypatch):
    with desk_of(tmp_path, monkeypatch):
        yield WORKSPACES.create()


def pressed(test: AppTest, key: str) -> AppTest:
    return next(entry for entry in test.button if entry.key == key).click().run()


def begun(space, name: str = CLIFF) -> AppTest:
    test = visited("learn", space)
    return pressed(test, f"lesson start {name}")


def test_learn_lists_the_lessons_and_starts_one_on_its_page(space):
    test = begun(space)
    assert space.lesson.lesson == CLIFF
    assert "Card 1 of" in test.sidebar.get("progress")[0].proto.text
    assert find_lesson(CLIFF).cards[0].title in words_of(test)
    assert not test.exception


def test_what_it_does_for_a_person_meets_its_check_and_the_way_on_opens(space):
    test = begun(space)
    assert button(test, "Skip")
    test = pressed(test, "lesson do it")
    assert space.budget
    assert space.lesson.done == {0}
    test = pressed(test, "lesson next 1")
    assert space.lesson.card == 1


@pytest.mark.slow
def test_a_prediction_is_kept_by_the_server_and_found_again(space):
    pressed(begun(space), "lesson next 1")
    test = visited("cut", space)
    test = pressed(test, "lesson guess")
    assert space.lesson.answers == {"half": 50.0}
    opened, model, data = session.lessons().opened(space.token)
    assert (opened, model, data) == (space.lesson, space.model, space.data)


@pytest.mark.slow
def test_a_lesson_that_was_left_goes_on_where_it_was(space):
    pressed(begun(space), "lesson next 1")
    test = pressed(visited("cut", space), "lesson leave")
    assert space.lesson is None
    assert not test.sidebar.button
    pressed(visited("learn", space), f"lesson start {CLIFF}")
    assert space.lesson.card == 1


def test_what_a_worker_could_not_answer_is_asked_anew(space, monkeypatch):
    asked = []

    def ask(request, owner, key, *, again=False):
        asked.append(again)
        return SimpleNamespace(state="failed", error="the worker was stopped", fraction=0.0, message="")

    opened = lessons()[CLIFF]
    place = next(
        place
        for place, card in enumerate(opened.cards)
        if isinstance(card, Reveal) and {each.recovery for each in card.measure} == {"none", "bn"}
    )
    monkeypatch.setattr(lesson_bench, "DESK", SimpleNamespace(ask=ask, jobs=lambda *_: []))
    lesson.begin(space, opened)
    space.lesson = space.lesson.at(place)
    space.replace({"layer2.0.conv1": 0.5})
    test = visited("look", space)
    assert "The worker was stopped" in words_of(test)
    assert set(asked) == {False}
    pressed(test, "lesson try again")
    assert asked.count(True) == 1
    assert not test.exception


@pytest.mark.slow
def test_a_class_may_withhold_a_card(space, monkeypatch):
    monkeypatch.setattr("explorer.ui.parts.holding.HOLDS", [*HOLDS, lambda *_: "Your teacher opens this card."])
    assert "Your teacher opens this card." in words_of(begun(space))


def test_a_first_visit_is_offered_a_look_once():
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert button(test, "Take the two-minute look")
    test = pressed(test, "welcome work")
    assert not any(entry.key == "welcome look" for entry in test.button)
    again = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    again.query_params["w"] = test.query_params["w"]
    assert not any(entry.key == "welcome look" for entry in again.run().button)


@pytest.mark.slow
def test_the_look_is_a_lesson_that_stands_beside_the_page(tmp_path, monkeypatch):
    with desk_of(tmp_path, monkeypatch):
        test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
        test = pressed(test, "welcome look")
        assert find_lesson(OPENING).cards[0].title in words_of(test)


@pytest.mark.slow
def test_a_lesson_of_a_file_that_has_changed_begins_anew(space):
    with_more = lessons()[CLIFF]
    lesson.begin(space, with_more)
    space.lesson = space.lesson.at(len(with_more.cards))
    test = visited("cut", space)
    assert not test.exception
    assert space.lesson.card == 0
