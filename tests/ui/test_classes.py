"""A class as sessions meet it: codes that are tried, what students may start, what comes back after a restart."""

import pytest

from explorer.errors import ExplorerError
from explorer.learning.classes.guard import Guard
from explorer.learning.classes.records import MEASURING, SEARCHING, TRAINING, Allowed, Seen
from explorer.methods.spec import Spec
from explorer.runs.queue import desk as desks
from explorer.runs.queue.desk import Desk
from explorer.ui.parts import classroom, ending
from explorer.ui.state import classes, session
from explorer.ui.state.share import Shared, link_text
from explorer.ui.state.workspace import WORKSPACES, Choice
from tests.runs.hands import Hand
from tests.ui.pages import button, desk_of, visited, words_of

MODEL, DATA = "demo:resnet20-digits", "digits"
PLAN = {"layer1.0.conv1": [0]}
ADA = "a" * 32


def asked(kind="ladder", **spec):
    return {"kind": kind, "spec": {"model": MODEL, "data": DATA, "device": "cpu", **spec}}


TRAIN = asked(plan=PLAN, recover="finetune", epochs=1)
MEASURE = asked("sensitivity")
LOOK = asked("score", criterion="l2")


@pytest.fixture(autouse=True)
def hands(monkeypatch):
    Hand.all = []
    monkeypatch.setattr(desks, "connect", Hand)
    monkeypatch.setattr(classes, "GUARD", Guard())
    return Hand.all


@pytest.fixture
def register(tmp_path):
    return classes.register(tmp_path)


def submitted(desk, token, request):
    with classes.admitted(desk, token, request) as seconds:
        return desk.job(desk.submit(request, owner=token, seconds=seconds))


def test_students_start_what_their_class_allows_one_at_a_time_and_so_many(register, tmp_path, hands):
    desk = Desk(tmp_path)
    code = register.open("Class", MODEL, DATA, allowed=Allowed((TRAINING,), 2, 30))[0].code
    register.join(code, "Ada", ADA)
    assert submitted(desk, ADA, TRAIN).seconds == 30
    with pytest.raises(ExplorerError, match="a class has one at a time"):
        submitted(desk, ADA, TRAIN)
    assert submitted(desk, ADA, LOOK).seconds is None  # short work waits for nothing
    hands[0].tell("failed", error="x")
    with pytest.raises(ExplorerError, match="goes without: sensitivity and latency"):
        submitted(desk, ADA, MEASURE)
    submitted(desk, ADA, TRAIN)
    hands[0].tell("failed", error="x")
    with pytest.raises(ExplorerError, match="Ada has started all 2"):
        submitted(desk, ADA, TRAIN)
    assert submitted(desk, "nobody", MEASURE).seconds is None


def test_what_the_desk_refuses_is_not_counted(register, tmp_path):
    desk = Desk(tmp_path)
    code = register.open("Class", MODEL, DATA, allowed=Allowed((TRAINING,), 1, 30))[0].code
    register.join(code, "Ada", ADA)
    with pytest.raises(ExplorerError):
        submitted(desk, ADA, asked(plan=PLAN, recover="finetune", epochs=1, device="abacus"))
    assert register.of_workspace(ADA).work == 0


@pytest.mark.parametrize(
    ("request_", "tool"),
    [
        (Spec(MODEL, DATA, plan=PLAN), TRAINING),
        (Spec(MODEL, DATA, keep={"macs": 0.5}), SEARCHING),
        (Spec(MODEL, DATA, method="train", recover="finetune"), TRAINING),
    ],
)
def test_a_run_is_a_training_or_a_search(register, tmp_path, request_, tool):
    desk = Desk(tmp_path)
    for number, allowed in enumerate(({tool}, {TRAINING, SEARCHING, MEASURING} - {tool})):
        code = register.open("Class", MODEL, DATA, allowed=Allowed(tuple(allowed), 1, 30))[0].code
        register.join(code, "Ada", f"{number}" * 32)
        if number:
            with pytest.raises(ExplorerError, match="goes without"), classes.admitted(desk, f"{number}" * 32, request_):
                pass
        else:
            with classes.admitted(desk, f"{number}" * 32, request_) as seconds:
                assert seconds == 30


def test_a_code_that_was_wrong_too_often_is_not_looked_at(register):
    code = register.open("Class", MODEL, DATA)[0].code
    other = "".join("Z" if letter != "Z" else "X" for letter in code)
    for _ in range(6):
        with pytest.raises(ExplorerError, match="there is no class"):
            classes.joined(register, other, "eve", "10.0.0.1")
    with pytest.raises(ExplorerError, match="too many codes were wrong"):
        classes.joined(register, code, "eve", "10.0.0.1")
    assert classes.joined(register, code.lower(), "ada", "10.0.0.1").code == code


def test_a_student_comes_back_by_her_link_after_the_server_was_started_again(tmp_path, monkeypatch):
    choice = Choice({"layer1.0.conv1": 0.5})
    with desk_of(tmp_path, monkeypatch):
        register = classes.register(tmp_path)
        code = register.open("Class", MODEL, DATA)[0].code
        space = WORKSPACES.create()
        register.join(code, "Ada", space.token)
        space.go_to(choice)
        register.note(space.token, classroom.seen(space, register.of_code(code)))
        WORKSPACES.forget(space.token)
        assert session._returned(space.token).draft.now == choice
        assert session._returned("b" * 32) is None
    WORKSPACES.forget(space.token)


def test_the_page_joins_a_class_and_its_teacher_opens_a_copy(tmp_path, monkeypatch):
    with desk_of(tmp_path, monkeypatch):
        register = classes.register(tmp_path)
        room, key = register.open("Class *bold*", MODEL, DATA)
        space = WORKSPACES.create()
        page = visited("classroom", space)
        page.text_input[0].set_value(room.code.lower())
        page.text_input[1].set_value("Ada")
        button(page, "Join").click().run()
        assert not page.exception
        assert [each.nickname for each in register.students(room.code)] == ["Ada"]
        assert "Class *bold*" in words_of(page)
        state = link_text(Shared(MODEL, DATA, "l2", {}, Choice({"layer1.0.conv1": 0.5})))
        register.note(space.token, Seen(MODEL, DATA, state))
        own = WORKSPACES.create()
        desk = visited("classroom", own)
        desk.session_state["class keys"] = [key]
        desk.session_state["class view"] = "Who is where"
        button(desk.run(), "On my board").click().run()
        assert not desk.exception
        assert own.budget == {"layer1.0.conv1": 0.5}
        assert space.budget == {}
        WORKSPACES.forget(own.token)


def test_deleting_a_class_leaves_nothing_of_it(tmp_path, monkeypatch, hands):
    with desk_of(tmp_path, monkeypatch) as desk:
        register = classes.register(tmp_path)
        room = register.open("Class", MODEL, DATA)[0]
        space = WORKSPACES.create()
        register.join(room.code, "Ada", space.token)
        job = submitted(desk, space.token, TRAIN)
        hands[0].tell("failed", error="x")
        assert ending.end(room) == []
        assert register.of_code(room.code) is None
        assert WORKSPACES.peek(space.token) is None
        assert desk.jobs(space.token) == []
        assert not list(tmp_path.glob(f"*{job.id}*"))
