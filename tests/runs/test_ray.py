"""The desk on a Ray cluster of this machine: done, cancelled, killed."""

import json
import os
import signal
from pathlib import Path

import pytest

from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.runs.queue import ray_link
from explorer.runs.queue.desk import Desk
from tests.runs.waiting import training, wait

QUICK = {"kind": "score", "spec": Spec("demo:vgg-digits", "digits", samples=64).to_json()}
ENDLESS = Spec("demo:vgg-digits", "digits", keep={"macs": 0.5}, samples=64, recover="finetune", epochs=100_000)


@pytest.fixture(scope="module")
def cluster():
    """A cluster with one CPU in this process's charge; its address is in the environment."""
    ray = pytest.importorskip("ray")
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("EXPLORER_TRACK", "0")
    monkeypatch.setenv("RAY_ADDRESS", "local")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # else a token is written to the home folder
    context = ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, runtime_env=ray_link.environment())
    monkeypatch.setenv("RAY_ADDRESS", context.address_info["address"])
    yield
    ray.shutdown()
    monkeypatch.undo()


@pytest.mark.slow
def test_jobs_on_a_cluster(cluster, tmp_path):
    desk = Desk(tmp_path)
    try:
        quick, id = desk.submit(QUICK), desk.submit(ENDLESS)
        job = wait(desk, quick)
        assert (job.state, job.error) == ("done", None)
        assert Path(job.result["file"]).is_file()

        wait(desk, id, training)
        pid = desk.workers()["Ray auto"]
        assert pid != os.getpid()
        os.kill(pid, signal.SIGKILL)
        job = wait(desk, id, lambda job: job.warnings)
        assert "Ray cluster ended unexpectedly" in job.warnings[0]
        assert job.warnings[0].endswith("went on from its 3. finished step")
        seen = len(job.history)
        wait(desk, id, lambda job: len(job.history) > seen)
        desk.cancel(id)
        job = wait(desk, id)
        assert (job.state, job.resumable) == ("cancelled", True)
    finally:
        desk.close()


def test_a_folder_that_the_node_does_not_see_is_said(tmp_path):
    [line] = ray_link._Seat().run(str(tmp_path / "nowhere"), "1")
    event = json.loads(line)
    assert (event["event"], event["job"]) == ("failed", "1")
    assert event["error"].endswith("set EXPLORER_RUNS to a folder that all nodes share")


def test_without_the_package_it_is_said_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    desk = Desk(tmp_path)
    job = desk.job(desk.submit(QUICK))
    assert job.state == "failed"
    assert 'pip install "ray>=2.50,<3"' in job.error


def test_a_clients_port_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    with pytest.raises(ExplorerError, match="HOST:PORT"):
        ray_link.RayLink("auto", print, print)
    job = (desk := Desk(tmp_path)).job(desk.submit(QUICK))
    assert (job.state, job.device) == ("failed", "Ray auto")
