"""What all people together may take: waiting jobs, room on the disk, what is kept of runs that have ended."""

import json
import os
import queue
import shutil
import signal
import threading
from collections import namedtuple
from pathlib import Path

import pytest

from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.runs.queue import desk as desks
from explorer.runs.queue.desk import Desk
from explorer.runs.queue.job import Job
from explorer.runs.queue.limits import Limits, size_of
from explorer.runs.queue.process_link import ProcessLink
from tests.runs.damage import measured
from tests.runs.waiting import PATIENCE

QUICK = {"kind": "score", "spec": Spec("demo:resnet20-digits", "digits", device="cpu").to_json()}


class Silent:
    """A place of work that never says anything."""

    pid = 0

    def send(self, message):
        pass

    def kill(self):
        pass

    def close(self, grace):
        pass


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """Makes desks with limits, whose workers do nothing: one job runs, all others wait."""
    monkeypatch.setattr(desks, "connect", lambda *place: Silent())
    made = []

    def make(**limits):
        made.append(Desk(tmp_path, limits=Limits(**limits)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def refused(desk, words, **whose):
    with pytest.raises(ExplorerError, match=words) as error:
        desk.submit(QUICK, **whose)
    assert "\n" not in str(error.value)


def test_waiting_jobs_are_limited_for_one_person_for_an_address_and_in_all(desk):
    full = desk(waiting=8, own_waiting=2)
    full.submit(QUICK, "first", address="z")  # runs
    for owner, address in (("ada", "x"), ("ada", "x"), ("bob", "x"), ("eve", "x")):
        id = full.submit(QUICK, owner, address=address)
    refused(full, "^2 runs are waiting already", owner="ada", address="y")
    refused(full, "^4 runs from your address are waiting already", owner="fay", address="x")
    for owner in "ghij":
        full.submit(QUICK, owner, address=owner)
    refused(full, r"^8 runs are waiting on this server already.*EXPLORER_WAITING to more$", owner="kim", address="y")
    full.cancel(id)
    full.submit(QUICK, "fay", address="x")


def test_a_class_at_one_address_may_wait_for_eight_runs_each(desk):
    busy = desk()
    busy.submit(QUICK, "teacher", address="10.0.0.1")  # runs
    for student in range(40):
        for _ in range(8):
            busy.submit(QUICK, f"student {student}", address="10.0.0.1")
    assert busy.queue("student 39")[-1].position == 320


def test_no_address_is_written_down(desk, tmp_path):
    known = desk()
    for _ in range(2):
        known.submit(QUICK, "ada", address="203.0.113.7")
    assert not any(b"203.0.113" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_the_folder_of_runs_does_not_outgrow_its_limit(desk, tmp_path):
    (tmp_path / "20200101-000000-old").mkdir()
    (tmp_path / "20200101-000000-old" / "weights").write_bytes(bytes(3000))
    small = desk(disk=2000)
    refused(
        small, rf"^the runs on this server take 2.93 kB of the 1.95 kB .*old runs in {tmp_path}, or set EXPLORER_DISK"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["20200101-000000-old"]


def test_a_disk_that_is_nearly_full_takes_no_run(desk, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(100 * 2**30, 99 * 2**30, 2**29)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    refused(desk(), r"^the server.s disk has only 512 MB left: delete folders of old runs in ")


def test_the_size_of_a_folder_follows_no_link(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(bytes(100))
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    assert 100 <= size_of(tmp_path / "a") < 1000
    assert size_of(tmp_path / "none") == 0


@pytest.mark.parametrize(
    ("switch", "text"),
    [
        ("EXPLORER_WAITING", "0"),
        ("EXPLORER_WAITING", "many"),
        ("EXPLORER_WAITING", "9" * 5000),
        ("EXPLORER_PAGES", "-1"),
        ("EXPLORER_WORKSPACES", "1e9"),
        ("EXPLORER_DISK", "much"),
        ("EXPLORER_UPLOADS", "5 GBit"),
    ],
)
def test_a_limit_that_is_none_is_named(monkeypatch, switch, text):
    monkeypatch.setenv(switch, text)
    with pytest.raises(ExplorerError, match=switch):
        Limits.of_environment()


def test_limits_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("EXPLORER_WAITING", "20")
    monkeypatch.setenv("EXPLORER_DISK", "1.5G")
    assert Limits.of_environment() == Limits(waiting=20, disk=3 * 2**29)


def test_of_runs_that_have_ended_a_server_keeps_little(tmp_path):
    spec = Spec("demo:vgg-digits", "digits").to_json()
    request, found = {"kind": "evaluate", "spec": spec}, measured(0.5, 200, 400)
    ended = Job("1", "ada", "Evaluate", request, "cpu", str(tmp_path / "1"), state="done", result=found)
    ended.history = [{"time": 1.0, "fraction": 0.5, "message": "training", "loss": 0.1}] * 500
    (tmp_path / "1").mkdir()
    ended.save()
    later = Desk(tmp_path)
    (brief,) = later.jobs("ada")
    assert (brief.state, brief.history, brief.result) == ("done", [], None)
    assert (later.job("1").history, later.job("1").result) == (ended.history, ended.result)
    shutil.rmtree(tmp_path / "1")
    with pytest.raises(ExplorerError, match="can't be read any more"):
        later.job("1")


def test_warnings_of_a_job_are_kept_once_and_not_without_end():
    job = Job("1", "ada", "Prune", {"kind": "prune"}, "cpu", "nowhere")
    assert job.warn("first")
    assert not job.warn("first")
    for number in range(1000):
        job.warn(f"warning {number}")
    assert len(job.warnings) == 100


@pytest.mark.parametrize("kind", ["run", "ask"])
def test_the_log_of_a_worker_keeps_its_end(kind, tmp_path):
    log = tmp_path / "worker-cpu.log"
    log.write_bytes(b"old" * 2**21 + b"the end")
    link = ProcessLink("cpu", log, lambda link, event: None, lambda link, reason: None)
    link.send({kind: str(tmp_path), "job": "1"})
    link.kill()
    link.close(5)
    text = log.read_bytes()
    assert len(text) < 2**21
    assert b"the end" in text


LONG = {"ask": {"kind": "repair", "more": "x" * 2**20}, "job": "1"}  # more than a pipe holds


@pytest.fixture
def deaf(tmp_path):
    """A link to a worker that is stopped, and what is told of it: events, at last why it ended."""
    told = queue.SimpleQueue()
    link = ProcessLink("cpu", tmp_path / "log", lambda link, event: told.put(event), lambda link, why: told.put(why))
    os.kill(link.pid, signal.SIGSTOP)
    yield link, told
    link.kill()


def test_a_message_waits_for_a_busy_worker_and_who_sends_it_does_not(deaf):
    link, told = deaf
    sender = threading.Thread(target=link.send, args=(LONG,), daemon=True)
    sender.start()
    sender.join(PATIENCE / 10)
    assert not sender.is_alive()
    os.kill(link.pid, signal.SIGCONT)
    event = told.get(timeout=PATIENCE)
    assert (event["event"], event["job"]) == ("failed", "1")
    link.close(PATIENCE)
    assert link.process.returncode == 0


def test_a_worker_that_reads_nothing_can_be_closed(deaf):
    link, told = deaf
    link.send(LONG)
    link.close(0.0)
    assert told.get(timeout=PATIENCE).startswith("the worker process was killed")
    link.send({"cancel": "1"})


def test_what_a_worker_did_not_foresee_is_one_line_with_the_trace_in_a_file(tmp_path, monkeypatch):
    from explorer.runs.queue.kinds import JOBS
    from explorer.runs.queue.worker import Worker

    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(type(JOBS["score"]), "__call__", lambda *given: {}["unforeseen"])
    Job("1", "ada", "Score", QUICK, "cpu", str(tmp_path)).save()
    with (tmp_path / "events").open("w+") as events:
        Worker([], events).run(tmp_path, "1")
        events.seek(0)
        (event,) = map(json.loads, events)
    (trace,) = Path(tmp_path / "cache" / "mishaps").iterdir()
    assert event["event"] == "failed"
    assert "\n" not in event["error"]
    assert str(trace) in event["error"]
    assert "KeyError: 'unforeseen'" in trace.read_text()
