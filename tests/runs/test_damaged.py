"""Whatever becomes of a file in the folder of the runs: one damaged thing, and all else goes on."""

import contextlib
import json
import os
import shutil

import pytest
from filelock import FileLock

from explorer.cli import main
from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.methods.tools.stages import Record
from explorer.runs.checkpoint import Checkpoint
from explorer.runs.history.comparison import compare, origins
from explorer.runs.history.finished import read_finished
from explorer.runs.history.learning import learning, training_left
from explorer.runs.history.lineage import read_runs, tree
from explorer.runs.history.trajectory import seconds_left, trajectory
from explorer.runs.queue.desk import Desk
from explorer.runs.queue.job import Job
from explorer.runs.removing import remove_run
from explorer.sources import load_model
from tests.runs import damage

JOB_LINK = "20260101-000001-0123456789ab"  # called as a run of the app


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a run that stays whole, one of the command line, one of the app, and one that was interrupted."""
    root = tmp_path_factory.mktemp("runs")
    damage.bundle(root / "whole", "whole")
    damage.bundle(root / "cut", "cut", seed=1)
    damage.job(root)
    damage.interrupted(root / "stopped.partial")
    return root


def look(root):
    """Everything that looks over the folder; whatever is damaged, nothing but an ExplorerError comes of it."""
    damaged = []
    records = read_runs(root, damaged.append)
    finished = {}
    for record in records:
        if record.state == "done":
            finished[record.id] = read_finished(record.folder)
    forest = tree(records)
    json.dumps([origins(forest, finished), [branch.to_json() for branch in forest]])
    json.dumps([record.to_json() for record in records]).encode()
    json.dumps(compare(list(finished.values())).to_json())
    for job in Desk(root).jobs():
        seconds_left(job, trajectory(job)[1])
        training_left(job)
        learning(job)
    return records, damaged


def test_what_is_whole_is_read(runs):
    records, damaged = look(runs)
    assert {record.id for record in records} == {"whole", "cut", damage.JOB[-12:], "stopped"}
    assert not damaged


@pytest.fixture
def idle(monkeypatch):
    """A desk begins nothing that waits."""
    monkeypatch.setattr(Desk, "_advance", lambda desk, lane: None)


@pytest.mark.parametrize("number", range(8))
def test_a_damaged_document_is_one_damaged_thing(runs, idle, number):
    path = damage.documents(runs)[number]
    for said in damage.damages(path, 0, 40):
        records, damaged = look(runs)
        assert {"whole", "cut"} - {path.parent.name} <= {record.id for record in records}, said
        assert [found.name for found in damaged] in ([], [path.relative_to(runs).parts[0]]), said
        assert all("\n" not in found.reason for found in damaged), said


@pytest.mark.slow
@pytest.mark.parametrize("number", range(8))
def test_every_command_goes_on(runs, idle, number, capsys):
    """Commands that look over the folder go on; those that are asked for what is damaged say so in a line."""
    path = damage.documents(runs)[number]
    for said in damage.damages(path, 1, 80):
        _, damaged = look(runs)
        commands = (
            ["runs", str(runs)],
            ["compare", str(runs / "whole"), str(path.parent)],
            ["weights", "--run", str(path.parent)],
        )
        for command in commands:
            code = main([*command, "--quiet"])
            printed = capsys.readouterr()
            assert code in (0, 2), (said, command, printed.err)
            if code == 2:
                assert printed.err.startswith("error: ")
                assert len(printed.err.splitlines()) == 1
            if command[0] == "runs":
                assert code == 0
                assert str(runs / "whole") in printed.out, said
                assert all(found.reason in printed.out for found in damaged), said
        with contextlib.suppress(ExplorerError):
            load_model(f"run:{path.parent}")


def test_a_damaged_report_in_a_comparison_is_named(runs, tmp_path, capsys):
    shutil.copytree(runs / "cut", tmp_path / "cut")
    for said in damage.damages(tmp_path / "cut" / "report.json", 2, 30):
        code = main(["compare", str(runs / "whole"), str(tmp_path / "cut"), "--quiet"])
        printed = capsys.readouterr().err
        assert code in (0, 2), said
        assert code == 0 or str(tmp_path / "cut" / "report.json") in printed or "holds no finished run" in printed, said


@pytest.mark.parametrize("name", ["weights.safetensors", "report.json"])
def test_exporting_what_is_damaged_is_refused_in_a_line(runs, tmp_path, capsys, name):
    shutil.copytree(runs / "cut", tmp_path / "cut")
    for said in damage.damages(tmp_path / "cut" / name, 0, len(damage.FILES)):
        if said.endswith(("NaN", "twice")):  # tensors have no text, and bear what comes behind them
            continue
        code = main(["export", "--model", f"run:{tmp_path / 'cut'}", "--out", str(tmp_path / "x.onnx"), "--quiet"])
        printed = capsys.readouterr().err
        assert code == 2, said
        assert len(printed.splitlines()) == 1, said


def test_steps_that_are_damaged_are_done_again(tmp_path):
    """What lies in a step's place, and what its values say."""
    damage.interrupted(tmp_path / "out.partial")
    path = tmp_path / "out.partial" / "step-01.safetensors"
    for said in damage.damages(path, 0, len(damage.FILES)):
        if said.endswith(("directory", "loop", "pipe")):
            continue  # no file of a run: the folder is not entered
        with Checkpoint(path.parent, Spec(damage.MODEL, "digits"), resume=True) as checkpoint:
            assert checkpoint("step-01", lambda: Record({"a": 2})).values["a"] in (1, 2), said


def test_the_command_lists_and_removes_a_damaged_run(runs, tmp_path, capsys):
    root = tmp_path / "runs"
    shutil.copytree(runs, root)
    (root / damage.JOB / "job.json").write_text("{")
    assert main(["runs", str(root), "--json"]) == 0
    [found] = json.loads(capsys.readouterr().out)["damaged"]
    assert (found["name"], found["folder"]) == (damage.JOB, str(root / damage.JOB))
    assert main(["runs", str(root)]) == 0
    assert "--remove NAME" in capsys.readouterr().out
    assert main(["runs", str(root), "--remove", damage.JOB]) == 0
    assert set(os.listdir(root)) == {"whole", "cut", "stopped.partial"}
    assert main(["runs", str(root), "--remove", "stopped.partial"]) == 0
    assert main(["runs", str(root), "--remove", damage.JOB]) == 2


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../theirs", "theirs", "link", "file", "uploads", "a\0b", JOB_LINK]
)
def test_nothing_else_is_removed(tmp_path, name):
    root = tmp_path / "runs"
    damage.job(root)
    for folder in (tmp_path / "theirs", root / "theirs", root / "uploads"):
        folder.mkdir()
        (folder / "thesis.tex").write_text("…")
    (root / "file").write_text("…")
    for link in ("link", JOB_LINK):
        (root / link).symlink_to(root / damage.JOB)
    before = sorted(map(str, tmp_path.rglob("*")))
    with pytest.raises(ExplorerError):
        remove_run(root, name)
    assert sorted(map(str, tmp_path.rglob("*"))) == before


def test_a_run_that_is_under_way_is_not_removed(tmp_path):
    made = damage.job(tmp_path)
    with FileLock(tmp_path / damage.JOB / "desk.lock"), pytest.raises(ExplorerError, match="under way"):
        remove_run(tmp_path, damage.JOB)
    assert (tmp_path / damage.JOB / "job.json").exists()
    desk = Desk(tmp_path)
    assert [job.id for job in desk.jobs()] == [made.id]
    remove_run(tmp_path, damage.JOB)
    desk.forget(tmp_path / damage.JOB)
    assert desk.jobs() == []


def test_a_job_of_a_version_without_a_seal_is_read(tmp_path):
    made = damage.job(tmp_path)
    path = tmp_path / damage.JOB / "job.json"
    document = json.loads(path.read_text())
    del document["seal"]
    path.write_text(json.dumps({**document, "of a later version": 1}))
    assert Job.load(path.parent).result == made.result
    path.write_text(json.dumps({**document, "seal": "another"}))
    with pytest.raises(ExplorerError, match="does not hold what was written"):
        Job.load(path.parent)


def test_a_name_of_another_encoding_in_a_job_does_not_damage_it(tmp_path):
    made = damage.job(tmp_path)
    made.warnings.append(os.fsdecode(b"can't read \xff.png"))
    made.save()
    assert "can't read ?.png" in Job.load(tmp_path / damage.JOB).warnings
