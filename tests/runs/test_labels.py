"""Names and colours of runs: given once, told apart, and kept."""

import threading

import pytest

from explorer import owned
from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.runs.execute import execute
from explorer.runs.given_names import given_name
from explorer.runs.history.finished import read_finished
from explorer.runs.history.lineage import read_runs
from explorer.runs.labels import COLOURS, beside, label_of, new_label, relabel
from explorer.runs.queue import desk as desks
from explorer.runs.queue.claims import Claims
from explorer.runs.queue.desk import Desk
from explorer.runs.queue.job import Job
from tests.runs import damage

SPEC = Spec("demo:vgg-digits", "digits", keep={"macs": 0.5}, criterion="l2", recover="none", samples=16)


def test_a_name_is_the_same_for_the_same_id_and_another_where_it_is_taken():
    assert given_name("a") == given_name("a")
    assert len({given_name(str(number)) for number in range(200)}) > 190
    taken = {given_name("a")}
    assert given_name("a", taken) not in taken


def test_the_runs_of_an_owner_get_names_and_colours_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(Desk, "_advance", lambda desk, lane: None)
    desk = Desk(tmp_path)
    try:
        for _ in range(3):
            desk.submit(SPEC, owner="mine")
        desk.submit({"kind": "evaluate", "spec": SPEC.to_json()}, owner="mine")
        desk.submit(SPEC, owner="other")
        labels = {job.id: label_of(job.bundle, job.id) for job in desk.jobs() if job.kind == "prune"}
        own = [labels[job.id] for job in desk.jobs("mine") if job.id in labels]
        assert len({label.name for label in own}) == 3
        assert {label.colour for label in own} == set(COLOURS[:3])
        [other] = [labels[job.id] for job in desk.jobs("other")]
        assert other.colour == COLOURS[0]
        assert {(run.name, run.colour, run.owner) for run in read_runs(tmp_path)} == {
            *((label.name, label.colour, "mine") for label in own),
            (other.name, other.colour, "other"),
        }
    finally:
        desk.close()


def test_a_run_whose_name_cannot_be_written_is_queued_all_the_same(tmp_path, monkeypatch):
    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Desk, "_advance", lambda desk, lane: None)
    monkeypatch.setattr(desks, "new_label", full)
    desk = Desk(tmp_path)
    try:
        id = desk.submit(SPEC, owner="mine")
        assert [job.id for job in desk.jobs("mine")] == [id]
    finally:
        desk.close()


def test_a_run_that_cannot_be_written_is_nobodys(tmp_path, monkeypatch):
    def full(job):
        raise OSError(28, "No space left on device")

    desk = Desk(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(Job, "save", full)
        with pytest.raises(ExplorerError, match="No space left"):
            desk.submit(SPEC, owner="mine")
    [folder] = tmp_path.iterdir()
    assert desk.jobs() == []
    assert Claims().take(Job("1", "mine", "", {"kind": "prune"}, "cpu", str(folder)))


def test_the_names_of_other_runs_are_read_while_the_desk_serves_others(tmp_path, monkeypatch):
    def read(folder, id):
        look = threading.Thread(target=desk.jobs, daemon=True)
        look.start()
        look.join(10)
        served.append(not look.is_alive())
        return label_of(folder, id)

    served = []
    monkeypatch.setattr(Desk, "_advance", lambda desk, lane: None)
    monkeypatch.setattr(desks, "label_of", read)
    desk = Desk(tmp_path)
    try:
        for _ in range(2):
            desk.submit(SPEC, owner="mine")
        assert served == [True]
    finally:
        desk.close()


def test_a_label_stays_when_the_runs_folder_moves_and_goes_with_another_run(tmp_path):
    folder = tmp_path / "small"
    damage.bundle(folder, "one")
    owned.mark(folder, owned.BUNDLE)
    relabel(folder, "one", name="mine")
    folder = folder.rename(tmp_path / "moved")
    assert label_of(folder, "one").name == "mine"
    assert label_of(folder, "two").name == "moved"
    assert new_label(folder, "two", []) == label_of(folder, "two")


def test_owners_are_told_to_nobody(tmp_path):
    damage.job(tmp_path, owner="a-secret-token")
    [run] = read_runs(tmp_path)
    assert run.owner == "a-secret-token"
    assert "a-secret-token" not in str(run.to_json())


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two runs of the command line beside each other."""
    root = tmp_path_factory.mktemp("runs")
    execute(SPEC, root / "one")
    execute(SPEC, root / "two")
    return root


@pytest.mark.slow
def test_runs_of_the_command_line_get_colours_of_their_own(two):
    runs = read_runs(two)
    assert [run.name for run in runs] == ["one", "two"]
    assert len({run.colour for run in runs}) == 2
    assert len(beside(two / "one")) == 2


@pytest.mark.slow
def test_a_run_tells_how_its_end_stands_to_its_base(two):
    run = read_finished(two / "one", "one")
    base, end = (run.result[stage]["top1"] * run.result["base"]["samples"] for stage in ("base", "pruned"))
    assert run.paired.both + run.paired.lost == round(base)
    assert run.paired.both + run.paired.gained == round(end)
    assert [entry["batch"] for entry in run.result["against_base"]["latency"]] == [1, 32]
    assert run.ratio["low"] <= run.ratio["ratio"] <= run.ratio["high"]
    assert run.result["chance"] == pytest.approx(0.1, abs=0.03)
