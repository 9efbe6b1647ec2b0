"""The desk with a real worker process: queue, progress, cancel, crash, memory of earlier servers."""

import json
import os
import signal
from pathlib import Path

import pytest

from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.runs.queue.desk import Desk
from explorer.runs.queue.limits import Limits
from tests.runs.waiting import training, wait

QUICK = {"kind": "score", "spec": Spec("demo:resnet20-digits", "digits", device="cpu").to_json()}
ENDLESS = Spec("demo:resnet20-digits", "digits", keep={"macs": 0.5}, recover="finetune", epochs=100_000, device="cpu")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    desk = Desk(tmp_path_factory.mktemp("runs"))
    yield desk
    desk.close()


def test_a_job_runs_and_is_remembered(desk):
    id = desk.submit(QUICK, owner="ada", title="first")
    job = wait(desk, id)
    assert (job.state, job.error, job.fraction, job.title) == ("done", None, 1.0, "first")
    assert job.created <= job.started <= job.finished
    scores = json.loads(Path(job.result["file"]).read_text())
    assert len(scores["groups"]["layer1.0.conv1"]) == 16

    later = Desk(desk.root)
    assert later.job(id).result == job.result
    assert [j.id for j in later.jobs("ada")] == [id]
    assert later.jobs("somebody else") == []
    later.close()


def test_a_failing_job_says_why_and_the_worker_stays(desk):
    first = wait(desk, desk.submit(QUICK))
    pid = desk.workers()["cpu short"]
    spec = {**QUICK["spec"], "model": "demo:resnet21-digits"}
    job = wait(desk, desk.submit({"kind": "score", "spec": spec}))
    assert first.state == "done"
    assert job.state == "failed"
    assert "resnet20-digits" in job.error
    assert "\n" not in job.error
    assert desk.workers()["cpu short"] == pid


def test_cancel_ends_the_running_job_not_the_worker(desk):
    id = desk.submit(ENDLESS)
    running = wait(desk, id, training)
    pid = desk.workers()["cpu"]
    assert running.state == "running"
    assert 0 < running.fraction < 1
    desk.cancel(id)
    job = wait(desk, id)
    assert (job.state, job.result, job.resumable) == ("cancelled", None, True)
    assert job.finished_steps == ["base", "cut", "scores"]
    assert not (Path(job.directory) / "bundle").exists()
    assert desk.workers()["cpu"] == pid
    assert wait(desk, desk.submit(QUICK)).state == "done"


def test_a_killed_worker_is_replaced_and_its_job_goes_on(desk):
    id = desk.submit(ENDLESS)
    wait(desk, id, training)
    pid = desk.workers()["cpu"]
    os.kill(pid, signal.SIGKILL)
    job = wait(desk, id, lambda job: job.warnings)
    assert job.state == "running"
    assert job.warnings[0].startswith("the worker process was killed")
    assert job.warnings[0].endswith("went on from its 3. finished step")
    assert desk.workers()["cpu"] != pid
    desk.cancel(id)
    assert wait(desk, id).resumable


def test_queue_position_limit_and_cancel_of_a_waiting_job(tmp_path):
    desk = Desk(tmp_path, limits=Limits(own_waiting=2), grace=0.5)
    try:
        running = desk.submit(ENDLESS, owner="ada")
        second, third = desk.submit(ENDLESS, owner="ada"), desk.submit(ENDLESS, owner="ada")
        assert [desk.position(id) for id in (running, second, third)] == [0, 1, 2]
        with pytest.raises(ExplorerError, match="2 runs are waiting"):
            desk.submit(ENDLESS, owner="ada")
        other = desk.submit(ENDLESS, owner="bob")
        assert [desk.position(id) for id in (other, second, third)] == [1, 2, 3]
        desk.cancel(second)
        assert desk.job(second).state == "cancelled"
        assert [desk.position(id) for id in (other, third)] == [1, 2]
    finally:
        desk.close()
    assert {job.state for job in desk.jobs()} == {"cancelled", "queued"}
    assert desk.workers() == {}


def test_short_work_is_done_while_long_work_goes_on_and_a_death_is_the_lanes_own(desk):
    long = desk.submit(ENDLESS)
    wait(desk, long, training)
    assert wait(desk, desk.submit(QUICK)).state == "done"
    pids = desk.workers()
    second = desk.submit(QUICK)
    os.kill(pids["cpu short"], signal.SIGKILL)
    job = wait(desk, second)
    assert (job.state, desk.job(long).state, desk.job(long).warnings) == ("done", "running", [])
    assert desk.workers()["cpu"] == pids["cpu"]
    assert desk.workers()["cpu short"] != pids["cpu short"]
    desk.cancel(long)
    assert wait(desk, long).state == "cancelled"


def test_a_job_that_does_not_listen_is_killed_after_the_grace(tmp_path):
    desk = Desk(tmp_path, grace=0.05)
    try:
        id = desk.submit(ENDLESS)  # the worker is still importing, so it can't hear the cancel in time
        desk.cancel(id)
        assert wait(desk, id).state == "cancelled"
        assert wait(desk, desk.submit(QUICK)).state == "done"
    finally:
        desk.close()


def test_what_is_not_ours_is_passed_over(tmp_path):
    for number, text in enumerate(("[]", "{", '{"id": "x"}', "")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "job.json").write_text(text)
    assert Desk(tmp_path).jobs() == []


def test_bad_requests_are_refused_at_the_desk(tmp_path):
    desk = Desk(tmp_path / "runs")
    for request, words in (
        ({"kind": "prun"}, "did you mean prune"),
        ({**QUICK, "extra": 1}, "'extra'"),
        ({"kind": "score"}, "JSON object"),
        (Spec("demo:resnet20-digits", "digits"), "nothing to remove"),
    ):
        with pytest.raises(ExplorerError, match=words):
            desk.submit(request)
    with pytest.raises(ExplorerError, match="no run 'x'"):
        desk.job("x")
    assert not (tmp_path / "runs").exists()
