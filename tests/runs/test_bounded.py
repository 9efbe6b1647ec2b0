"""Work that may only take so many seconds: who came first is first, and how long one waits at most is known before."""

import time

import pytest

from explorer.methods.spec import Spec
from explorer.runs.queue import desk as desks
from explorer.runs.queue.desk import Desk
from explorer.runs.queue.job import Job
from tests.runs.hands import Hand

SPEC = Spec("demo:resnet20-digits", "digits", keep={"macs": 0.5}, device="cpu")


@pytest.fixture(autouse=True)
def hands(monkeypatch):
    Hand.all = []
    monkeypatch.setattr(desks, "connect", Hand)
    return Hand.all


def test_nobody_overtakes_and_the_longest_wait_is_known_before(tmp_path, hands):
    desk = Desk(tmp_path, grace=5.0)
    assert desk.longest_wait(device="cpu") == 0.0
    first = desk.submit(SPEC, "ada", seconds=60)
    assert 5.0 <= desk.longest_wait(device="cpu") <= 65.0
    second = desk.submit(SPEC, "ada", seconds=60)
    before = desk.longest_wait(device="cpu")
    third = desk.submit(SPEC, "bob", seconds=30)  # never served, and yet behind
    assert 70.0 <= before <= 130.0
    assert desk.longest_wait(third) <= before
    assert desk.longest_wait(second) <= 65.0
    assert desk.longest_wait(first) == 0.0
    hands[0].tell("failed", error="x")
    assert [desk.job(id).state for id in (first, second, third)] == ["failed", "running", "queued"]


def test_bounded_work_waits_for_none_that_is_not_and_short_work_for_neither(tmp_path, hands):
    desk = Desk(tmp_path)
    score = {
        "kind": "score",
        "spec": Spec("demo:resnet20-digits", "digits", criterion="taylor", device="cpu").to_json(),
    }
    ids = [desk.submit(SPEC), desk.submit(SPEC, seconds=60), desk.submit(score, seconds=60)]
    assert [desk.job(id).state for id in ids] == ["running"] * 3
    assert sorted(desk.workers()) == ["cpu", "cpu bounded", "cpu short"]


def test_what_takes_longer_has_failed_and_says_why(tmp_path, hands):
    desk = Desk(tmp_path, grace=0.05)
    slow, following = desk.submit(SPEC, "ada", seconds=0.2), desk.submit(SPEC, "bob", seconds=60)
    end = time.monotonic() + 60
    while not any("cancel" in message for message in hands[0].sent) and time.monotonic() < end:
        time.sleep(0.02)
    hands[0].tell("cancelled")
    found = desk.job(slow)
    assert (found.state, found.overdue) == ("failed", True)
    assert found.error.startswith("it was stopped after the 0.2 seconds that it may take: choose fewer epochs")
    assert desk.job(following).state == "running"


def test_a_worker_that_does_not_stop_is_ended_and_the_next_one_begins(tmp_path, hands):
    desk = Desk(tmp_path, grace=0.05)
    slow, following = desk.submit(SPEC, "ada", seconds=0.1), desk.submit(SPEC, "bob", seconds=60)
    end = time.monotonic() + 60
    while desk.job(slow).state != "failed" and time.monotonic() < end:
        time.sleep(0.02)
    assert desk.job(slow).overdue
    assert desk.job(following).state == "running"


def test_a_person_may_cancel_it_all_the_same(tmp_path, hands):
    desk = Desk(tmp_path)
    id = desk.submit(SPEC, "ada", seconds=60)
    desk.cancel(id)
    hands[0].tell("cancelled")
    assert desk.job(id).state == "cancelled"


def test_the_bound_stays_with_the_job_and_older_records_have_none(tmp_path, hands):
    desk = Desk(tmp_path)
    job = desk.job(desk.submit(SPEC, seconds=60))
    older = {"id": "a", "owner": "", "title": "", "request": {}, "device": "cpu", "directory": ""}
    assert Job.from_json(older).seconds is None
    desk.close()
    assert Desk(tmp_path).job(job.id).seconds == 60
