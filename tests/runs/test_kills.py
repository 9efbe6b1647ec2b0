"""Killed at random moments and resumed, a run loses no finished step and ends as if nothing had happened."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from explorer.cli import main
from explorer.methods.spec import Spec
from explorer.runs.queue.desk import Desk
from tests.runs.outcome import finished, left_by

pytestmark = pytest.mark.slow
SPEC = Spec(
    model="demo:vgg-digits",
    data="digits",
    method="ifap",
    criterion="flow",
    recover="bn",
    keep={"macs": 0.6},
    steps=3,
    samples=64,
    settings={"max_drop": "1.0"},
    seed=11,
    device="cpu",
)
PRUNE = (
    "prune --model demo:vgg-digits --data digits --method ifap --criterion flow --recover bn --keep macs=0.6".split()
)
PRUNE += "--steps 3 --samples 64 --max-drop 1 --seed 11 --device cpu --quiet".split()
KILLS = 12  # of the command line; of servers and of workers a third of that each
PATIENCE = 300


@pytest.fixture(scope="module")
def processes():
    """Starts functions in fresh processes in which everything slow is imported already."""
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("EXPLORER_TRACK", "0")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["explorer.runs.execute", "explorer.cli.verbs.prune", "torch.onnx", "onnxscript"])
    yield context
    monkeypatch.undo()


def command(*arguments):
    sys.exit(main([*PRUNE, *arguments]))


def serve(root):
    """A server: it owns a desk and takes up what there is, also what has failed by then."""
    desk = Desk(root)
    for job in desk.jobs():
        if job.resumable:
            desk.resume(job.id)
    while True:
        time.sleep(1)


@pytest.fixture(scope="module")
def whole(processes, tmp_path_factory):
    """What an uninterrupted run leaves, and the seconds that it takes."""
    out = tmp_path_factory.mktemp("whole") / "out"
    start = time.monotonic()
    process = processes.Process(target=command, args=("--out", str(out)))
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == 0
    return left_by(out), min(30, time.monotonic() - start)


def test_the_command_line_is_killed_again_and_again(processes, whole, tmp_path):
    expected, seconds = whole
    generator = random.Random(5)
    kills, number, before = 0, 0, {}
    while kills < KILLS:
        out = tmp_path / str(number)
        process = processes.Process(target=command, args=("--out", str(out), "--resume"))
        process.start()
        process.join(generator.uniform(0, seconds / 3))
        if process.exitcode is not None:  # it was faster: the next run
            assert process.exitcode == 0
            assert left_by(out) == expected
            number, before = number + 1, {}
            continue
        process.kill()
        process.join()
        kills += 1
        now = finished(out.with_name(f"{number}.partial"))
        assert out.exists() or now.items() >= before.items()
        before = now
    arguments = [*PRUNE, "--out", str(out), "--resume"]
    last = subprocess.run([sys.executable, "-m", "explorer", *arguments], capture_output=True, text=True)
    assert last.returncode == 0, last.stderr
    assert left_by(out) == expected
    assert sorted(os.listdir(tmp_path)) == [str(n) for n in range(number + 1)]


def test_servers_and_workers_are_killed_again_and_again(processes, whole, tmp_path):
    expected, seconds = whole
    generator = random.Random(8)
    desk = Desk(tmp_path, grace=0)
    id = desk.submit(SPEC)
    folder = Path(desk.job(id).directory)
    deadline = time.monotonic() + PATIENCE
    while not desk.job(id).finished_steps:  # before, two kills end it for good
        assert time.monotonic() < deadline
        time.sleep(0.05)
    desk.close()
    before = {}

    def keeps_steps():
        nonlocal before
        now = finished(folder / "bundle.partial")
        assert (folder / "bundle").exists() or now.items() >= before.items()
        before = now

    for _ in range(KILLS // 3):
        server = processes.Process(target=serve, args=(tmp_path,))
        server.start()
        time.sleep(generator.uniform(0.5, seconds / 2))
        server.kill()
        server.join()
        keeps_steps()

    desk = Desk(tmp_path)
    try:
        for _ in range(KILLS // 3):
            time.sleep(generator.uniform(0.5, seconds / 2))
            if desk.job(id).resumable:
                desk.resume(id)
            if pid := desk.workers().get("cpu"):
                os.kill(pid, signal.SIGKILL)
            keeps_steps()
        deadline = time.monotonic() + PATIENCE
        while (job := desk.job(id)).state != "done":
            assert time.monotonic() < deadline, f"still {job.state}: {job.message}"
            assert job.state != "failed" or job.resumable, job.error
            if job.resumable:
                desk.resume(id)
            time.sleep(0.1)
    finally:
        desk.close()
    assert left_by(folder / "bundle") == expected
    assert [point["step"] for point in job.points] == [0, 1, 2, 3]
    times = [point["time"] for point in job.points]
    assert times == sorted(times)
    assert not (folder / "bundle.partial").exists()
