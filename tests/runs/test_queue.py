"""The desk's rules, with workers that do what the test says: queue, deaths, servers that end, several servers."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.runs.queue import desk as desks
from explorer.runs.queue.desk import Desk
from explorer.runs.queue.lanes import Place
from tests.runs import damage
from tests.runs.hands import Hand

SPEC = Spec("demo:resnet20-digits", "digits", keep={"macs": 0.5}, device="cpu")


@pytest.fixture(autouse=True)
def hands(monkeypatch):
    """The links that the desks of a test open."""
    Hand.all = []
    monkeypatch.setattr(desks, "connect", Hand)
    return Hand.all


def finish_step(job, name):
    folder = Path(job.directory) / "bundle.partial"
    folder.mkdir(exist_ok=True)
    save_file({"x": torch.zeros(1)}, folder / f"{name}.safetensors")


def test_everybody_sees_the_queue_and_only_their_own_ids(tmp_path, hands):
    desk = Desk(tmp_path)
    first, second = desk.submit(SPEC, "ada", "A"), desk.submit(SPEC, "bob", "B")
    third = desk.submit(SPEC, "ada", "C")
    hands[0].tell("progress", fraction=0.25, message="half way to half", metrics={})
    assert desk.queue("ada") == [
        Place("cpu", 0, "A", 0.25, True, first),
        Place("cpu", 1, "B", 0.0, False, ""),
        Place("cpu", 2, "C", 0.0, True, third),
    ]
    assert [place.own for place in desk.queue("bob")] == [False, True, False]
    hands[0].tell("done", result={})
    assert [(place.title, place.position) for place in desk.queue()] == [("B", 0), ("C", 1)]
    assert [desk.position(id) for id in (first, second, third)] == [0, 0, 1]


@pytest.mark.parametrize(
    ("kind", "asked", "short"),
    [
        ("prune", {"keep": {"macs": 0.5}}, False),
        ("score", {"criterion": "taylor"}, True),
        ("score", {"criterion": "shapley"}, False),
        ("evaluate", {}, False),
        ("readings", {}, True),
        ("budget", {"keep": {"macs": 0.5}}, True),
        ("budget", {"keep": {"latency": 0.5}}, False),
        ("ladder", {"keep": {"macs": 0.5}, "recover": "bn"}, True),
        ("ladder", {"keep": {"macs": 0.5}, "recover": "finetune"}, False),
        ("sensitivity", {}, False),
        ("latency", {}, False),
    ],
)
def test_work_that_looks_goes_beside_work_that_trains_or_times(tmp_path, hands, kind, asked, short):
    desk = Desk(tmp_path)
    long = desk.submit(SPEC)
    spec = Spec("demo:resnet20-digits", "digits", device="cpu", **asked).to_json()
    id = desk.submit({"kind": kind, "spec": spec})
    assert [desk.job(id).state, len(hands)] == (["running", 2] if short else ["queued", 1])
    assert [(place.id, place.short) for place in desk.queue("")] == [(long, False), (id, short)]
    hands[-1].die()
    assert desk.job(long).deaths == (0 if short else 1)


def test_nobody_waits_longer_because_another_asks_for_more(tmp_path, hands):
    desk = Desk(tmp_path)
    for title in ("A1", "A2", "A3"):
        desk.submit(SPEC, "ada", title)
    desk.submit(SPEC, "bob", "B1")
    assert [(place.title, place.position) for place in desk.queue()] == [("A1", 0), ("B1", 1), ("A2", 2), ("A3", 3)]
    told = []
    for _ in range(4):
        told.append(desk.queue()[0].title)
        hands[0].tell("done", result={})
    assert told == ["A1", "B1", "A2", "A3"]


def test_a_job_outlives_a_death_but_not_two_at_the_same_step(tmp_path, hands):
    desk = Desk(tmp_path)
    id, waiting = desk.submit(SPEC), desk.submit(SPEC)
    hands[0].die()
    assert (hands[1].job, desk.job(id).state, desk.position(waiting)) == (id, "running", 1)
    finish_step(desk.job(id), "scores")
    hands[1].die()
    assert (hands[2].job, desk.job(id).warnings[1:]) == (
        id,
        ["the worker died: the run went on from its 1. finished step"],
    )
    assert not desk.job(id).resumable
    hands[2].die()
    job = desk.job(id)
    assert (job.state, job.resumable, hands[3].job) == ("failed", True, waiting)
    assert job.error.startswith("the worker died, 2 times at the same step")
    assert "1 finished step is kept" in job.error

    desk.resume(id)
    assert (desk.job(id).state, desk.job(id).error, desk.position(id)) == ("queued", None, 1)
    hands[3].tell("done", result={})
    assert hands[3].job == id
    hands[3].die()
    assert desk.job(id).state == "running"  # its deaths count from anew


def test_what_ended_without_a_finished_step_is_not_resumed(tmp_path, hands):
    desk = Desk(tmp_path)
    id = desk.submit(SPEC)
    with pytest.raises(ExplorerError, match="is running and left no finished step"):
        desk.resume(id)
    desk.cancel(id)
    hands[0].tell("cancelled")
    assert not desk.job(id).resumable
    with pytest.raises(ExplorerError, match="is cancelled and left no finished step: start it anew"):
        desk.resume(id)


def test_the_next_server_goes_on_with_what_a_closed_one_left(tmp_path, hands):
    desk = Desk(tmp_path)
    running, waiting, stopped = desk.submit(SPEC), desk.submit(SPEC), desk.submit(SPEC)
    desk.cancel(stopped)
    hands[0].point(0, 0.1)
    hands[0].tell("warning", message="batches of 8")
    desk.close()
    assert [desk.job(id).state for id in (running, waiting, stopped)] == ["queued", "queued", "cancelled"]

    later = Desk(tmp_path)
    assert [later.job(id).state for id in (running, waiting, stopped)] == ["running", "queued", "cancelled"]
    job = later.job(running)
    assert (hands[1].job, job.deaths, job.warnings) == (running, 0, ["batches of 8"])
    assert [point["step"] for point in job.points] == [0]


def test_points_and_warnings_outlive_a_server_that_is_killed(tmp_path, hands, monkeypatch):
    desk = Desk(tmp_path)
    id = desk.submit(SPEC)
    hands[0].point(0, 0.1)
    hands[0].tell("warning", message="batches of 8")
    hands[0].point(1, 0.3)
    before = desk.job(id)
    with (Path(before.directory) / "events.jsonl").open("a") as stream:
        stream.write('\n{"event": "progress", "fra')
    killed(desk)

    later = Desk(tmp_path)
    job = later.job(id)
    assert job.fraction == 0.3
    assert [{**point, "time": 0} for point in job.points] == [{**point, "time": 0} for point in before.points]
    assert job.points[1]["time"] == pytest.approx(before.points[1]["time"], abs=1)
    assert job.warnings == ["batches of 8", "the server stopped: the run went on from its beginning"]
    hands[1].point(0, 0.1)  # a run that goes on tells the steps again that it takes over
    hands[1].point(1, 0.3)
    hands[1].point(2, 0.5)
    assert [point["time"] for point in later.job(id).points[:2]] == [point["time"] for point in job.points]
    assert [point["step"] for point in later.job(id).points] == [0, 1, 2]
    killed(later)
    assert [point["step"] for point in Desk(tmp_path).job(id).points] == [0, 1, 2]


def test_a_job_that_takes_its_servers_down_fails(tmp_path):
    desk = Desk(tmp_path)
    id = desk.submit(SPEC)
    killed(desk)
    desk = Desk(tmp_path)
    assert desk.job(id).state == "running"
    killed(desk)
    job = Desk(tmp_path).job(id)
    assert (job.state, job.error.partition(",")[0]) == ("failed", "the server stopped")


def test_a_cancel_outlives_the_server(tmp_path):
    desk = Desk(tmp_path)
    id = desk.submit(SPEC)
    desk.cancel(id)
    killed(desk)
    assert Desk(tmp_path).job(id).state == "cancelled"


def test_two_servers_never_do_the_same_job(tmp_path, hands):
    one = Desk(tmp_path)
    id = one.submit(SPEC)
    other = Desk(tmp_path)
    assert (other.job(id).state, len(hands)) == ("running", 1)
    hands[0].point(0, 0.2)
    assert (other.job(id).fraction, other.queue()) == (0.2, [])
    with pytest.raises(ExplorerError, match="another server"):
        other.cancel(id)
    finish_step(one.job(id), "scores")
    one.cancel(id)
    hands[0].tell("cancelled")
    other.resume(id)
    assert (hands[1].job, other.job(id).state) == (id, "running")
    with pytest.raises(ExplorerError, match="at another server already"):
        one.resume(id)
    killed(other)
    hands[1].sent.clear()
    third = Desk(tmp_path)
    assert third.job(id).state == "running"
    assert hands[2].job == id


def test_a_deleted_run_troubles_nobody(tmp_path):
    one = Desk(tmp_path)
    id = one.submit(SPEC)
    other = Desk(tmp_path)
    assert other.job(id).state == "running"
    for name in os.listdir(one.job(id).directory):
        (Path(one.job(id).directory) / name).unlink()
    Path(one.job(id).directory).rmdir()
    assert other.jobs()[0].state == "running"


def test_records_of_earlier_versions_are_read(tmp_path, hands):
    desk = Desk(tmp_path)
    id = desk.submit(SPEC)
    result = damage.report("a", tmp_path)
    hands[0].tell("done", result=result)
    path = Path(desk.job(id).directory) / "job.json"
    document = json.loads(path.read_text())
    for key in ("points", "stopping", "deaths", "died_after", "seal"):
        del document[key]
    path.write_text(json.dumps(document))
    assert Desk(tmp_path).job(id).result == result


def killed(desk):
    """What the system does to the locks of a process that is killed."""
    for lock in desk._claims._locks.values():
        lock.release()
    desk._closed = True
