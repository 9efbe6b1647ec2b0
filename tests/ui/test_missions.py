"""Missions on the pages, without a browser: played, handed in, made from the board, opened from links."""

import time
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from explorer.learning.missions.bundled import bundled
from explorer.learning.missions.goal import Goal
from explorer.learning.missions.mission import Mission, mission_text
from explorer.learning.missions.points import open_store, points
from explorer.ui.navigation import path_to
from explorer.ui.parts import mission_play
from explorer.ui.state.workspace import WORKSPACES
from tests.hostile import TEXTS, read
from tests.markdown import as_read
from tests.ui.pages import ROOT, desk_of, visited

FIRST = bundled()["first-cut"]
SHARED_OUT = 0.5
SHOWN = [text for text in TEXTS if len(text) <= 80 and "\ud800" not in text]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    with desk_of(tmp_path, monkeypatch) as desk:
        yield desk


def opened(**parameters) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for key, value in parameters.items():
        test.query_params[key] = value
    return test.run()


def workspace(test):
    return WORKSPACES.get(test.session_state["workspace"])


def beside(test) -> str:
    kinds = (test.sidebar.subheader, test.sidebar.markdown, test.sidebar.caption, test.sidebar.error)
    return read("\n".join(as_read(entry.value) for kind in kinds for entry in kind))


@pytest.mark.slow
def test_a_mission_is_played_beside_every_page_and_left(desk):
    test = opened()
    assert not test.sidebar.subheader
    test.switch_page(path_to("missions")).run()
    test.button(key=f"play {FIRST.id}").click().run()
    for page in ("cut", "runs"):
        test.switch_page(path_to(page)).run()
        assert not test.exception
        assert "First cut" in beside(test)
        assert "now **40.5 M**" in beside(test)  # of the whole network
    test.sidebar.button(key="leave mission").click().run()
    assert workspace(test).mission is None
    assert not test.sidebar.subheader


@pytest.mark.slow
def test_what_is_handed_in_is_checked_once_and_kept(desk, tmp_path):
    test = opened(m=mission_text(replace(FIRST, hidden=40)))
    space = workspace(test)
    for _ in range(2):
        test.sidebar.button(key="hand in").click().run()
        until = time.monotonic() + 120
        while not mission_play.follow(space).over and time.monotonic() < until:
            time.sleep(0.1)
        test.run()
    said = beside(test)
    assert "1 of 2 goals are met" in said
    assert "you had handed in this network before" in said
    assert "1 try" in said
    (kept,) = points(open_store(tmp_path), space.mission)
    assert (kept.met, kept.samples, kept.macs) == (1, 40, 40_518_272)
    assert space.token not in kept.who
    test.switch_page(path_to("missions")).run()
    assert not test.exception


@pytest.mark.slow
def test_another_network_is_not_handed_in(desk):
    test = opened(m=mission_text(FIRST))
    workspace(test).choose("demo:vgg-digits", "digits")
    test.run()
    assert "another network is open" in beside(test)
    test.sidebar.button(key="open mission").click().run()
    test.run()
    assert workspace(test).model == FIRST.model


@pytest.mark.slow
def test_what_must_stay_whole_is_locked_on_the_board_once(desk):
    mission = replace(FIRST, locked=("layer1.*",))
    test = opened(m=mission_text(mission))
    space = workspace(test)
    assert space.locked == {"layer1.0.conv1", "layer1.1.conv1", "layer1.2.conv1"}
    space.undo()
    test.run()
    assert space.locked == frozenset()


@pytest.mark.slow
def test_a_mission_is_made_from_the_board_and_opened_by_another(desk):
    space = WORKSPACES.create()
    space.replace({"layer3.0.conv1": SHARED_OUT})
    test = visited("missions", space)
    test.text_input(key="mission title").set_value("Beat **me**").run()
    test.button(key="make mission").click().run()
    assert not test.exception
    made = space.mission
    assert made.title == "Beat **me**"
    assert {goal.kind for goal in made.goals} == {"macs", "metric"}
    link = next(entry.value for entry in test.code if "?m=" in entry.value)
    other = opened(m=link.partition("?m=")[2])
    assert not other.error
    assert workspace(other).mission == made
    assert workspace(other).token != space.token


@pytest.mark.parametrize(
    "link",
    ["nonsense", *(pytest.param(text, marks=pytest.mark.slow) for text in ("", "x" * 5000, mission_text(FIRST)[:-60]))],
)
def test_a_link_that_is_none_says_so_once(desk, link):
    test = opened(m=link)
    assert len(test.error) == 1
    assert "mission can't be opened" in test.error[0].value
    assert not test.run().error
    assert workspace(test).mission is None


@pytest.mark.slow
def test_a_link_opens_no_place_that_this_server_does_not(desk, monkeypatch):
    monkeypatch.setenv("EXPLORER_ROOTS", "/nowhere")
    goal = Goal.made("metric", at_least=0.5)
    test = opened(m=mission_text(Mission("x", "run:/etc", "digits", (goal,))))
    assert len(test.error) == 1
    assert workspace(test).mission is None


@pytest.mark.parametrize("text", [TEXTS[12], *(pytest.param(text, marks=pytest.mark.slow) for text in SHOWN)])
def test_titles_of_others_read_as_they_are_written(desk, text):
    mission = replace(FIRST, title=text, text=text)
    space = WORKSPACES.create()
    mission_play.play(space, mission)
    test = visited("missions", space)
    assert not test.exception
    assert read(mission.title) in beside(test)


def test_a_class_may_say_who_plays(desk, monkeypatch):
    space = WORKSPACES.create()
    assert mission_play.player(space).scope == ""
    monkeypatch.setattr(mission_play, "PLAYERS", [lambda _: None, lambda _: mission_play.Player("Ada", "ABCDEF")])
    assert mission_play.player(space) == mission_play.Player("Ada", "ABCDEF")
