"""A mission as a record, a file and a link; goals held against facts; points kept."""

import json

import pytest

from explorer.errors import ExplorerError
from explorer.learning.missions.bundled import bundled, find_mission
from explorer.learning.missions.facts import Facts, Reached, Timed
from explorer.learning.missions.goal import GOALS, Goal
from explorer.learning.missions.judging import Entry, check_allowed, question, verdict
from explorer.learning.missions.mission import Mission, mission_text, read_mission
from explorer.learning.missions.points import Point, best, forget, frontier, made_by, open_store, points, record, who_of
from explorer.learning.missions.proposing import proposals
from explorer.packed import pack
from explorer.pruning import Plan
from explorer.runs.examining import Wanted, hidden_places
from tests.hostile import TEXTS

FACTS = Facts(
    metric="top1",
    classes=("A", "B", "C"),
    of_class=(50, 100, 0),
    whole=Reached(0.92, 0.9, 0.94, 150, (46, 92, 0)),
    stages={"none": Reached(0.5, 0.42, 0.58, 150, (20, 55, 0)), "repair": Reached(0.9, 0.86, 0.94, 150, (45, 87, 0))},
    end="repair",
    macs=15_000_000,
    params=100_000,
    size=410_000,
    timed={("onnx", 1): Timed(0.48, 0.45, 0.52)},
    costs={"macs": 40_000_000, "params": 270_000, "size": 1_100_000},
)


def made(*goals, **more):
    return Mission("Half", "demo:resnet20-digits", "digits", tuple(map(Goal.parse, goals)), **more)


@pytest.mark.parametrize(
    ("goal", "met", "says", "text"),
    [
        ("macs:at_most=15e6", True, "At most 15 M MACs", "15 M"),
        ("macs:at_most=14999999", False, "At most 15 M MACs", "15 M"),
        ("params:at_most=1e5", True, "At most 100 k parameters", "100 k"),
        ("size:at_most=4e5", False, "A file of at most 400 kB", "410 kB"),
        ("latency:at_most=0.5", True, "At most 50% of the milliseconds in onnxruntime", "48% (45%–52%)"),
        ("latency:at_most=0.5,runtime=torch", None, "At most 50% of the milliseconds in torch eager", ""),
        ("metric:at_least=0.9", True, "Accuracy of at least 90%", "90.0%"),
        ("metric:at_least=0.9,after=none", False, "Accuracy of at least 90% as cut", "50.0%"),
        ("metric:at_least=0.9,after=training", None, "Accuracy of at least 90% after training", ""),
        ("worst-class:at_most=0.05", True, "No class loses more than 5 points", "B loses 5.0 points"),  # 92 → 87 of 100
        (
            "worst-class:at_most=0.5,after=none",
            False,
            "No class loses more than 50 points, as cut",
            "A loses 52.0 points",
        ),
    ],
)
def test_a_goal_is_held_against_facts(goal, met, says, text):
    goal = Goal.parse(goal)
    standing = goal.standing(FACTS)
    assert (standing.met, goal.says("top1"), standing.text) == (met, says, text)


def test_a_limit_within_the_interval_is_said_to_be_close():
    assert "too close" in Goal.parse("metric:at_least=0.9").standing(FACTS).note
    assert "too close" in Goal.parse("latency:at_most=0.5").standing(FACTS).note
    assert not Goal.parse("metric:at_least=0.8").standing(FACTS).note


def test_nothing_is_known_of_nothing():
    nothing = Facts("top1")
    assert {kind.function(Goal.made(kind.name, **_some(kind)).settings, nothing).met for kind in GOALS.values()} == {
        None
    }


def _some(kind):
    return {"at_least": 0.5} if "at_least" in kind.settings else {"at_most": 1}


def test_goals_are_proposed_that_the_board_just_meets():
    goals = proposals(FACTS)
    assert [goal.kind for goal in goals] == ["macs", "params", "size", "latency", "metric", "worst-class"]
    assert all(goal.standing(FACTS).met for goal in goals)
    assert goals[4].settings["at_least"] == 0.89  # a point below what few samples say
    whole = Facts("top1", macs=9, params=9, size=9, costs={"macs": 9, "params": 9, "size": 9})
    assert proposals(whole) == []  # nothing is cut


def test_a_mission_reads_back_from_its_link_and_from_a_whole_address():
    mission = made(
        "macs:at_most=2e7",
        "metric:at_least=0.88",
        text="Go.",
        locked=("layer1*",),
        tools=("training", "repair"),
        criteria=("l2",),
        hidden=500,
    )
    text = mission_text(mission)
    assert read_mission(text) == read_mission(f"http://localhost:8501/?w=abc&m={text}&x=1") == mission
    assert json.loads(json.dumps(mission.to_json())) == mission.to_json()
    assert mission.tools == ("repair", "training")


DOCUMENT = made("metric:at_least=0.9").to_json()


@pytest.mark.parametrize(
    "change",
    [
        {"title": ""}, {"title": "x" * 81}, {"title": 7}, {"model": ""}, {"model": "x" * 501}, {"goals": []},
        {"goals": [{"kind": "metric", "at_least": 0.9}] * 9}, {"goals": "metric"}, {"goals": [[]]},
        {"goals": [{"kind": "nonsense"}]}, {"goals": [{"kind": "metric"}]},
        {"goals": [{"kind": "metric", "at_least": "x"}]},
        {"goals": [{"kind": "metric", "at_least": 1e300}]}, {"goals": [{"kind": "metric", "at_least": None}]},
        {"goals": [{"kind": "metric", "at_least": 0.9, "more": 1}]}, {"goals": [{"kind": "macs", "at_most": 5}]},
        {"goals": [{"kind": "metric", "at_least": 0.9, "after": "training"}]}, {"tools": ["magic"]},
        {"tools": "repair"},
        {"criteria": ["magic"]}, {"locked": [""]}, {"locked": ["x"] * 101}, {"locked": [7]}, {"hidden": 0},
        {"hidden": 1.5}, {"hidden": True}, {"more": 1}, {"text": "x" * 401},
    ],
)  # fmt: skip
def test_a_mission_that_is_none_is_refused_in_one_line(change):
    with pytest.raises(ExplorerError) as refused:
        read_mission(pack(DOCUMENT | change))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["", "m", "%%%", "a" * 100, mission_text(made("metric:at_least=0.9"))[:-9], pack([1]), pack("x" * 10**6)]
)
def test_a_damaged_link_is_refused(text):
    with pytest.raises(ExplorerError):
        read_mission(text)


def test_texts_of_others_are_bounded_and_lose_what_steers():
    for text in TEXTS[:-1]:
        if "\x00" in text or "\ud800" in text:
            continue
        mission = read_mission(pack(DOCUMENT | {"title": text}))
        assert mission.title.isprintable()
        assert len(mission.title) <= 80
    with pytest.raises(ExplorerError):
        read_mission(pack(DOCUMENT | {"title": "odd \ud800 half"}))


def test_what_is_bundled_reads_and_asks_for_more_than_nothing():
    missions = bundled()
    assert len(missions) >= 6
    for name, mission in missions.items():
        assert find_mission(name) == mission == find_mission(mission_text(mission))
    with pytest.raises(ExplorerError, match="first-cut"):
        find_mission("first-cat")


def answer(**stages):
    told = {"top1": 0.9, "top1_low": 0.8, "top1_high": 0.95, "samples": 9, "right": None}
    return {
        "metric": "top1", "classes": [], "of_class": [], "whole": told, "costs": {"macs": 9, "params": 9, "size": 9},
        "stages": {name: told | {"top1": value} for name, value in stages.items()}, "macs": 5, "params": 5, "size": 5,
        "timings": [], "warnings": [],
    }  # fmt: skip


def test_a_verdict_is_of_what_was_handed_in():
    mission = made("metric:at_least=0.88", "metric:at_least=0.5,after=none", tools=("repair", "training"))
    plan = Entry(Plan(mission.model, {"conv1": (1,)}))
    asked = question(mission, plan)
    assert asked["stages"] == ["none", "repair"]
    found = verdict(mission, plan, answer(none=0.6, repair=0.9))
    assert (found.done, found.met, found.point().stage, found.point().value) == (True, 2, "repair", 0.9)
    assert not verdict(mission, plan, answer(none=0.4, repair=0.9)).done
    trained = verdict(mission, Entry(plan.plan, run="run:x"), answer(training=0.95))
    assert (trained.met, trained.point().stage) == (1, "training")
    assert "hand in a plan" in trained.goals[1][1].note  # a run does not tell what it reached as cut


def test_what_is_not_allowed_is_refused_with_the_reason():
    from explorer.sources import load_model
    from explorer.structure import analyse

    loaded = load_model("demo:resnet20-digits")
    structure = analyse(loaded.module, loaded.example())
    mission = made("metric:at_least=0.9", locked=("layer1.*",), criteria=("l2",))
    model = mission.model
    check_allowed(mission, Entry(Plan(model, {"conv1": (1,)}), criterion="l2"), structure)
    with pytest.raises(ExplorerError, match="criteria l2"):
        check_allowed(mission, Entry(Plan(model), criterion="flow"), structure)
    with pytest.raises(ExplorerError, match=r"layer1.1.conv1 must stay whole"):
        check_allowed(mission, Entry(Plan(model, {"layer1.1.conv1": (1,)}), criterion="l2"), structure)
    with pytest.raises(ExplorerError, match="must stay whole"):
        check_allowed(mission, Entry(Plan(model, blocks=("layer1.1",)), criterion="l2"), structure)
    with pytest.raises(ExplorerError, match="the plan is for"):
        check_allowed(mission, Entry(Plan("demo:vgg-digits"), criterion="l2"), structure)
    with pytest.raises(ExplorerError, match="unknown group"):
        made("metric:at_least=0.9", locked=("nowhere",)).locks(structure)


def test_the_hidden_places_are_always_the_same_and_bounded():
    assert len(hidden_places(2548, 40_000_000, 3000)) == 2500  # as many as the work allows
    assert len(hidden_places(50_000, 4_000_000_000, 3000)) == 256
    assert list(hidden_places(10, 1, 4)) == [0, 2, 5, 7]
    with pytest.raises(ExplorerError):
        Wanted.from_json({"timings": [["onnx", 10**6]]})


def point(entry, macs, value, *, met=2, **more):
    return Point(entry, met, 2, "repair", macs, macs, macs, "top1", value, **more)


def test_tries_are_counted_once_for_each_network(tmp_path):
    store, mission = open_store(tmp_path), made("metric:at_least=0.9")
    me = who_of("a token that opens a workspace")
    assert "token" not in me
    first = record(store, mission, me, "", point("a", 5, 0.9))
    assert record(store, mission, me, "", point("a", 5, 0.9)) == first
    assert record(store, mission, me, "", point("b", 4, 0.8, met=1)).tries == 2
    assert record(store, mission, "Ada", "ABCDEF", point("b", 4, 0.8)).tries == 1  # of a class, a list of its own
    assert [each.entry for each in points(store, mission)] == ["a", "b"]
    assert points(store, mission, "ABCDEF", "Ada")[0].who == "Ada"
    assert made_by(store, me) == [mission]
    forget(store, "ABCDEF")
    assert points(store, mission, "ABCDEF") == []


def test_a_state_that_is_too_long_is_not_kept(tmp_path):
    kept = record(open_store(tmp_path), made("metric:at_least=0.9"), "me", "", point("a", 5, 0.9, state="x" * 30_000))
    assert kept.state == ""


def test_the_best_meets_most_goals_then_is_cheapest_and_the_frontier_is_beaten_by_nobody():
    a, b, c, d = point("a", 5, 0.90), point("b", 4, 0.88), point("c", 6, 0.89), point("d", 1, 0.5, met=1)
    assert best([a, b, c, d]) == b
    assert best([]) is None
    assert frontier([a, b, c, d]) == [d, b, a]  # c is dearer than a and worse
    assert frontier([a, b, c, d], higher=False) == [d]
    assert frontier([point("e", 5, None)]) == []
