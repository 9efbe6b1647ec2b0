"""A class that somebody is careless with, or would like to harm: keys, answers, points, a file that fails."""

import json
import sqlite3
from dataclasses import replace

import pytest

from explorer.errors import ExplorerError
from explorer.learning.classes.overview import gathered, revealing
from explorer.learning.lessons.lesson import Predict
from explorer.learning.lessons.progress import Progress
from explorer.learning.lessons.reading import lessons
from explorer.learning.missions.bundled import bundled
from explorer.learning.missions.judging import Entry
from explorer.learning.missions.points import points, record
from explorer.pruning import Plan
from explorer.runs.queue import desk as desks
from explorer.ui.parts import classroom, ending, lesson_cards, mission_play
from explorer.ui.state import classes, session
from explorer.ui.state.workspace import WORKSPACES, Choice, Point
from tests.learning.missions.test_missions import point
from tests.runs.hands import Hand
from tests.ui.pages import button, desk_of, visited

MODEL, DATA = "demo:resnet20-digits", "digits"
MISSION = bundled()["first-cut"]
LESSON = next(each for each in lessons().values() if any(isinstance(card, Predict) for card in each.cards))
ASKED = next(card for card in LESSON.cards if isinstance(card, Predict))
CHOICE = Choice({"layer1.0.conv1": 0.5})


@pytest.fixture
def desk(tmp_path, monkeypatch):
    Hand.all = []
    monkeypatch.setattr(desks, "connect", Hand)
    with desk_of(tmp_path, monkeypatch) as desk:
        yield desk


@pytest.fixture
def register(desk):
    return classes.register(desk.root)


@pytest.fixture
def space():
    space = WORKSPACES.create()
    yield space
    WORKSPACES.forget(space.token)


def kept_keys(page):
    """What the page leaves in the browser of keys; None where it leaves all as it was."""
    documents = [json.loads(entry.proto.json) for entry in page.get("bidi_component")]
    return next((document["value"] for document in documents if document.get("name") == classes.COOKIE), None)


def kept(space, room):
    classroom.keep(space, room, classes.register(session.DESK.root).of_workspace(space.token))


def tried(value=0.9, macs=0.4, recovery="none"):
    return Point(CHOICE, (DATA, "l2"), recovery, macs, macs, value, None, None)


@pytest.mark.slow
def test_a_key_that_is_put_away_leaves_the_browser(register, space):
    _, key = register.open("Class", MODEL, DATA)
    page = visited("classroom", space)
    page.session_state["class keys"] = [key]
    page.session_state["class view"] = "Manage"
    assert kept_keys(page.run()) == key
    button(page, "Put the key away").click().run()
    assert not page.exception
    assert kept_keys(page) == ""


@pytest.mark.parametrize("key", ["x; max-age=0", "k" * 32])
def test_what_can_be_no_key_pushes_none_out(register, space, key):
    _, own = register.open("Class", MODEL, DATA)
    page = visited("classroom", space)
    page.session_state["class keys"] = [own]
    page.query_params["teach"] = key
    page.run()
    assert not page.exception
    assert kept_keys(page) == own


def test_points_outlive_the_server_another_network_and_many_tries(register, space):
    room, _ = register.open("Class", MODEL, DATA)
    register.join(room.code, "Ada", space.token)
    space.tried(tried(0.95))
    kept(space, room)
    WORKSPACES.forget(space.token)
    again = session._returned(space.token)
    kept(again, room)
    assert [each.value for each in register.students(room.code)[0].seen.reached] == [0.95]
    again.choose("demo:vgg-digits", DATA)
    kept(again, room)
    assert [each.value for each in register.students(room.code)[0].seen.reached] == [0.95]
    again.choose(MODEL, DATA)
    for number in range(classroom.POINTS + 5):
        again.tried(replace(tried(0.5 + number / 1000), choice=Choice({"layer1.0.conv1": number / 100})))
        kept(again, room)
    reached = register.students(room.code)[0].seen.reached
    assert max(each.value for each in reached) == 0.95
    assert len(reached) <= classroom.POINTS


def test_who_joins_again_is_seen_at_once(register, space):
    room, _ = register.open("Class", MODEL, DATA)
    register.join(room.code, "Ada", space.token)
    kept(space, room)
    register.remove(room.code, "Ada")
    register.join(room.code, "Bea", space.token)
    kept(space, room)
    assert register.students(room.code)[0].seen.model == MODEL


def test_an_answer_stays_as_it_was_when_the_teacher_opened_what_is_so(register, space):
    room, _ = register.open("Class", MODEL, DATA, lesson=LESSON.name)
    register.join(room.code, "Ada", space.token)
    late = WORKSPACES.create()
    register.join(room.code, "Bea", late.token)
    step = ASKED.slider.step if ASKED.slider else 1.0
    first = ASKED.slider.low if ASKED.slider else 0.0
    begun = Progress(LESSON.name, LESSON.cards.index(ASKED))
    space.lesson = begun.answered(ASKED, first)
    classroom.open_for_all(room, LESSON.name, revealing(LESSON, ASKED))
    space.lesson = begun.answered(ASKED, first + step)  # as after a restart of the lesson
    late.lesson = begun.answered(ASKED, first + step)
    found = gathered(LESSON, classroom.look_around(room))[0]
    assert found.answered == 1
    assert register.of_workspace(space.token).seen.answers == {ASKED.name: first}
    WORKSPACES.forget(late.token)


def test_measuring_again_does_not_free_a_prediction():
    place = revealing(LESSON, ASKED)
    seen = Progress(LESSON.name).answered(ASKED, ASKED.slider.low if ASKED.slider else 0.0).saw(place, ())
    assert lesson_cards._revealed(LESSON, ASKED, seen.forgot(place))


def test_joining_that_fails_leaves_the_work_in_sight(register, space):
    space.go_to(CHOICE)
    room, _ = register.open("Class", MODEL, DATA)
    page = visited("classroom", space)
    page.text_input[0].set_value(room.code)
    page.text_input[1].set_value("<b>")
    button(page, "Join").click().run()
    assert page.session_state["workspace"] == space.token
    assert space.token in page.query_params["w"]


def test_a_class_begins_with_what_every_student_may_open(register, space, monkeypatch):
    monkeypatch.setattr(session.st, "get_option", lambda name: "0.0.0.0")
    own = f"run:{session.uploads(space)}"
    assert session.permitted(own, space) == own
    with pytest.raises(ExplorerError):
        session.open_to_all(own)
    assert session.open_to_all(MODEL) == MODEL


@pytest.mark.slow
def test_a_mission_that_is_gone_is_told_to_who_joins(register, space):
    room, _ = register.open("Class", MODEL, DATA, mission="of another version")
    page = visited("classroom", space)
    page.text_input[0].set_value(room.code)
    page.text_input[1].set_value("Ada")
    button(page, "Join").click().run()
    assert not page.exception
    assert [each.nickname for each in register.students(room.code)] == ["Ada"]


def test_what_is_handed_in_for_a_class_that_was_deleted_is_not_kept(register, space, monkeypatch):
    room, _ = register.open("Class", MODEL, DATA)
    register.join(room.code, "Ada", space.token)
    attempt = mission_play.Attempt(MISSION, Entry(Plan(MODEL)), mission_play.player(space))
    space.mission, space.attempt = MISSION, attempt
    ending.end(room)

    class Done:
        state, result = "done", {}

    monkeypatch.setattr(mission_play, "asked_for", lambda *_: Done)
    assert "class" in mission_play.follow(space).error
    assert points(mission_play.store(), MISSION, room.code) == []


@pytest.mark.slow
def test_leaving_takes_the_points_along(register, space):
    room, _ = register.open("Class", MODEL, DATA)
    register.join(room.code, "Ada", space.token)
    record(mission_play.store(), MISSION, "Ada", room.code, point("a", 5, 0.9))
    page = visited("classroom", space)
    button(page, "Leave the class").click().run()
    assert not page.exception
    assert points(mission_play.store(), MISSION, room.code) == []


def test_missions_of_a_nickname_stay_in_its_class(register, space):
    room, _ = register.open("Class", MODEL, DATA)
    other, _ = register.open("Other", MODEL, DATA)
    register.join(room.code, "Ada", space.token)
    mine = replace(MISSION, title="Of the first Ada")
    mission_play.keep(space, mine)
    assert mission_play.others(space, []) == [mine]
    second = WORKSPACES.create()
    register.join(other.code, "Ada", second.token)
    assert mission_play.others(second, []) == []
    ending.end(room)
    with sqlite3.connect(mission_play.store().file) as connection:
        assert "Ada" not in "".join(by for (by,) in connection.execute("SELECT by FROM mission"))
    WORKSPACES.forget(second.token)


def test_a_tab_of_a_teacher_outlives_her_class(register, space):
    room, _ = register.open("Class", MODEL, DATA, lesson=LESSON.name)
    register.delete(room.code)
    classroom.open_for_all(room, LESSON.name, 1)
    assert register.revealed(room.code, LESSON.name) == frozenset()


def test_pages_work_where_the_classes_can_not_be_read(desk, space):
    (desk.root / "learning.sqlite").write_bytes(b"this is no database" * 100)
    page = visited("look", space)
    assert not page.exception
    page = visited("classroom", space)
    assert not page.exception
