"""Questions: the newest wins, equal ones are answered once, people take turns, nothing is left on disk."""

import io
import os
import signal
import threading

import pytest
import torch

from explorer.errors import Cancelled, ExplorerError
from explorer.methods.spec import Spec
from explorer.methods.studies.repair import repair
from explorer.methods.tools.portions import portion
from explorer.progress import silent
from explorer.pruning import Plan
from explorer.recovery.portion import repair_samples
from explorer.runs.answering import opened
from explorer.runs.queue import asking
from explorer.runs.queue import desk as desks
from explorer.runs.queue.desk import Desk
from explorer.runs.queue.question_kinds import QUESTIONS
from explorer.runs.queue.worker import Worker
from explorer.sources import load_pair
from explorer.structure import analyse
from tests.runs.hands import Hand
from tests.runs.waiting import PATIENCE, wait

MODEL, GROUP = "demo:resnet20-digits", "layer1.0.conv1"


def question(*units, model=MODEL, **more):
    return {"kind": "repair", "spec": Spec(model, "digits", plan={GROUP: units}, device="cpu", **more).to_json()}


@pytest.fixture
def hands(monkeypatch):
    Hand.all = []
    monkeypatch.setattr(desks, "connect", Hand)
    return Hand.all


def asked_of(hand):
    """The units that a hand has been asked about so far."""
    return [message["ask"]["spec"]["plan"][GROUP] for message in hand.sent if "ask" in message]


def test_an_answer_comes_to_all_who_ask_the_same_and_is_kept(tmp_path, hands):
    desk = Desk(tmp_path)
    ada, bob = desk.ask(question(1), "ada", "board"), desk.ask(question(1), "bob", "board")
    assert (ada.state, ada.wait(0), ada.result) == ("running", False, None)
    assert desk.ask(question(1), "ada", "board") is ada
    hands[0].tell("progress", fraction=0.5, message="half", metrics={})
    assert (bob.state, bob.fraction, bob.message) == ("running", 0.5, "half")
    waiting = threading.Thread(target=ada.wait, args=(PATIENCE,))
    waiting.start()
    hands[0].tell("done", result={"top1": 0.9})
    waiting.join(PATIENCE)
    assert not waiting.is_alive()
    cat = desk.ask(question(1), "cat", "board")
    assert [(asked.state, asked.result, asked.wait(0)) for asked in (ada, bob, cat)] == [
        ("done", {"top1": 0.9}, True)
    ] * 3
    assert (len(asked_of(hands[0])), desk.jobs(), desk.queue("ada"), os.listdir(tmp_path)) == (1, [], [], [])


def test_the_newest_question_wins_whether_the_older_waits_or_runs(tmp_path, hands):
    desk = Desk(tmp_path)
    first = desk.ask(question(1), "ada", "board")
    second = desk.ask(question(2), "ada", "board")
    assert (first.state, first.wait(0), second.state) == ("replaced", True, "waiting")
    assert "cancel" in hands[0].sent[-1]
    third = desk.ask(question(3), "ada", "board")
    other = desk.ask(question(4), "ada", "elsewhere")
    hands[0].tell("cancelled")
    assert (second.state, third.state, other.state, asked_of(hands[0])) == (
        "replaced",
        "running",
        "waiting",
        [[1], [3]],
    )
    hands[0].tell("done", result={})
    assert (third.state, other.state) == ("done", "running")


def test_a_worker_that_may_be_opening_a_model_is_not_ended_as_soon_as_one_whose_job_is_cancelled(tmp_path, hands):
    desk = Desk(tmp_path, grace=0.1)
    desk.ask(question(1), "ada", "board")
    second = desk.ask(question(2), "ada", "board")
    training = Spec(MODEL, "digits", keep={"macs": 0.5}, recover="finetune", epochs=9, device="cpu")
    id = desk.submit(training, "ada")
    desk.cancel(id)
    assert wait(desk, id).state == "cancelled"  # its worker was ended, after that of the question would have been
    assert (second.state, len(hands)) == ("waiting", 2)
    hands[0].tell("cancelled")
    assert (second.state, asked_of(hands[0])) == ("running", [[1], [2]])


def test_a_question_that_is_stopped_while_it_opens_its_network_lets_it_be_opened(tmp_path):
    def stop(fraction, message):
        told.append(message)
        raise Cancelled

    told = []
    found = opened(Spec.from_json(question(1, input_shape=(1, 8, 8))["spec"]), stop)
    assert len(found.judged)
    assert told[-2:] == ["reading digits", "reading digits, what is judged by"]


def test_what_another_one_asks_too_is_not_stopped(tmp_path, hands):
    desk = Desk(tmp_path)
    desk.ask(question(1), "ada", "board")
    bob = desk.ask(question(1), "bob", "board")
    desk.ask(question(2), "ada", "board")
    assert all("cancel" not in message for message in hands[0].sent)
    hands[0].tell("done", result={})
    assert bob.state == "done"


def test_back_at_a_question_that_is_being_stopped_it_is_asked_anew(tmp_path, hands):
    desk = Desk(tmp_path)
    desk.ask(question(1), "ada", "board")
    desk.ask(question(2), "ada", "board")
    again = desk.ask(question(1), "ada", "board")
    hands[0].tell("cancelled")
    assert (again.state, asked_of(hands[0])) == ("running", [[1], [1]])
    hands[0].tell("done", result={})
    assert again.state == "done"


def test_people_take_turns_and_so_do_questions_and_jobs(tmp_path, hands):
    desk = Desk(tmp_path)
    job = {"kind": "score", "spec": Spec(MODEL, "digits", device="cpu").to_json()}
    desk.ask(question(0), "ada", "0")
    for number in (1, 2):
        desk.ask(question(number), "ada", str(number))
    desk.ask(question(3), "bob", "0")
    id = desk.submit(job, "cat")
    assert desk.position(id) == 1
    told = []
    while (sent := hands[0].sent[-1]) and sent["job"] not in told:
        told.append(sent["job"])
        hands[0].tell("done", result={})
    done = [message["ask"]["spec"]["plan"][GROUP][0] if "ask" in message else "job" for message in hands[0].sent]
    assert done == [0, "job", 3, 1, 2]


def test_a_question_outlives_one_death_of_its_worker(tmp_path, hands):
    desk = Desk(tmp_path)
    asked = desk.ask(question(1), "ada", "board")
    hands[0].die()
    assert (asked.state, asked_of(hands[1])) == ("running", [[1]])
    hands[1].die()
    assert (asked.state, asked.wait(0)) == ("failed", True)
    assert asked.error.startswith("the worker died, 2 times with the same question")
    assert desk.ask(question(1), "ada", "board") is asked


def test_an_error_is_told_and_is_no_answer_for_others(tmp_path, hands):
    desk = Desk(tmp_path)
    asked = desk.ask(question(1), "ada", "board")
    hands[0].tell("failed", error="there are no calibration images")
    assert (asked.state, asked.error) == ("failed", "there are no calibration images")
    assert desk.ask(question(1), "bob", "board").state == "running"


def test_a_question_that_failed_is_asked_anew_where_that_is_wanted(tmp_path, hands):
    desk = Desk(tmp_path)
    failed = desk.ask(question(1), "ada", "board")
    hands[0].tell("failed", error="the disk is away")
    assert desk.ask(question(1), "ada", "board") is failed
    anew = desk.ask(question(1), "ada", "board", again=True)
    assert (failed.state, anew.state, anew.error, asked_of(hands[0])) == ("failed", "running", None, [[1], [1]])
    assert desk.ask(question(1), "ada", "board", again=True) is anew
    hands[0].tell("done", result={"top1": 0.9})
    assert desk.ask(question(1), "ada", "board", again=True) is anew
    assert anew.result == {"top1": 0.9}


def test_a_changed_file_is_another_question(tmp_path, hands):
    file = tmp_path / "net.safetensors"
    file.write_bytes(b"1")
    desk = Desk(tmp_path / "runs")
    request = question(1, model=f"file:{file}#{MODEL}")
    desk.ask(request, "ada", "board")
    hands[0].tell("done", result={"top1": 0.5})
    assert desk.ask(request, "ada", "board").state == "done"
    os.utime(file, (1, 1))
    assert desk.ask(request, "ada", "board").state == "running"


def test_bad_questions_and_too_many_are_refused(tmp_path, hands, monkeypatch):
    desk = Desk(tmp_path)
    for request, words in (
        ({"kind": "repai"}, "did you mean repair"),
        ({**question(1), "extra": 1}, "'extra'"),
        ({"kind": "repair"}, "JSON object"),
    ):
        with pytest.raises(ExplorerError, match=words):
            desk.ask(request, "ada", "board")
    monkeypatch.setattr(asking, "ROOM", 2)
    for number in range(3):
        desk.ask(question(number), str(number), "board")
    with pytest.raises(ExplorerError, match="2 questions are waiting"):
        desk.ask(question(3), "3", "board")
    assert desk.ask(question(4), "1", "board").state == "waiting"  # in the place of her own


def test_who_is_refused_keeps_what_she_has_asked_and_may_ask_again(tmp_path, hands, monkeypatch):
    desk = Desk(tmp_path)
    first = desk.ask(question(0), "ada", "board")
    monkeypatch.setattr(asking, "ROOM", 1)
    bob = desk.ask(question(1), "bob", "board")
    for _ in range(2):
        with pytest.raises(ExplorerError, match="1 questions are waiting"):
            desk.ask(question(2), "ada", "board")
    assert (first.state, len(hands[0].sent)) == ("running", 1)
    desk.ask(question(1), "cat", "board")
    with pytest.raises(ExplorerError, match="1 questions are waiting"):
        desk.ask(question(2), "bob", "board")  # what he would leave waits on for another one
    assert bob.state == "waiting"
    hands[0].tell("done", result={})
    assert (first.state, bob.state, desk.ask(question(2), "ada", "board").state) == ("done", "running", "waiting")


def test_at_the_end_of_the_server_nobody_waits_in_vain(tmp_path, hands):
    desk = Desk(tmp_path)
    running, waiting = desk.ask(question(1), "ada", "board"), desk.ask(question(2), "bob", "board")
    desk.close()
    assert [(asked.state, asked.wait(0)) for asked in (running, waiting)] == [("failed", True)] * 2
    with pytest.raises(ExplorerError, match="closing"):
        desk.ask(question(3), "ada", "board")


def test_a_worker_gives_back_what_an_answer_took_of_the_gpu(monkeypatch):
    emptied, events = [], io.StringIO()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(events.getvalue()))
    monkeypatch.setattr(type(QUESTIONS["repair"]), "__call__", lambda *given: {})
    Worker((), events).answer(question(1), "1")
    assert len(emptied) == 1
    assert '"done"' in emptied[0]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    desk = Desk(tmp_path_factory.mktemp("runs"))
    yield desk
    desk.close()


def test_a_repair_is_what_the_library_finds_and_leaves_nothing(desk):
    model, task = load_pair(MODEL, "digits")
    structure = analyse(model.module, model.example())
    plan, macs = Plan(MODEL, {GROUP: (1, 2, 3, 9)}), structure.cost().macs
    asked = desk.ask(question(1, 2, 3, 9), "ada", "board")
    assert asked.wait(PATIENCE)
    assert asked.error is None
    found = repair(
        model.module,
        structure,
        task,
        plan,
        data=portion(task.validation, macs),
        calibration=repair_samples(task.calibration, macs),
        device=torch.device("cpu"),
    )
    told = asked.result
    assert (told["recovery"], told["metric"], told["top1"]) == ("reconstruct", "top1", found.quality.value)
    assert (told["answers"], told["samples"]) == (found.quality.predictions.tolist(), found.quality.samples)
    assert [path.name for path in desk.root.iterdir()] == ["worker-cpu-short.log"]


def test_a_cut_that_does_not_fit_is_told_in_a_sentence(desk):
    asked = desk.ask(question(10_000), "ada", "board")
    assert asked.wait(PATIENCE)
    assert (asked.state, asked.error.split(",")[0]) == ("failed", f"the plan removes unit 10000 of {GROUP}")


def test_a_killed_worker_is_replaced_and_the_question_answered(desk):
    asked = desk.ask(question(1), "bob", "board")
    os.kill(desk.workers()["cpu short"], signal.SIGKILL)
    assert asked.wait(PATIENCE)
    assert asked.state == "done"


@pytest.mark.parametrize(("kind", "told"), [("recover", {"recover": "bn"}), ("time", {"batch": 2})])
def test_a_recovery_of_its_own_and_a_time_are_asked_for_a_plan(kind, told):
    spec = {"model": "demo:resnet20-digits", "data": "digits", "plan": {"layer1.0.conv1": [0]}, **told}
    answer = QUESTIONS[kind]({"kind": kind, "spec": spec}, silent)
    if kind == "recover":
        assert answer["recovery"] == "bn"
        assert len(answer["answers"]) == answer["samples"]
    else:
        assert answer["batch"] == 2
        assert 0 < answer["low"] <= answer["ratio"] <= answer["high"]


def test_a_question_waits_for_no_training():
    spec = {"model": "demo:resnet20-digits", "data": "digits", "plan": {}, "recover": "finetune"}
    with pytest.raises(ExplorerError, match="trains"):
        QUESTIONS["recover"]({"kind": "recover", "spec": spec}, silent)
