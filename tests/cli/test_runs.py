"""Runs at the command line: found by what a person calls them, shown, named, compared, and deleted with care."""

import json
import os

import pytest

from explorer import owned
from explorer.cli import main
from explorer.runs.labels import COLOURS
from explorer.runs.queue.job import Job
from tests.runs import damage

NUMBERS = {
    "against_base": {
        "paired": {"both": 70, "lost": 20, "gained": 1, "neither": 8},
        "latency": [{"batch": 1, "base_ms": 2.0, "ms": 1.0, "ratio": 0.5, "low": 0.45, "high": 0.55, "rounds": 30}],
    },
    "chance": 0.1,
}


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path))
    return tmp_path


def change(folder, **facts):
    path = folder / "report.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def ours(root, name, **settings):
    """A run of the command line that is certainly ours."""
    damage.bundle(root / name, f"id-of-{name}", **settings)
    owned.mark(root / name, owned.BUNDLE)
    return root / name


def answered(capsys, *arguments):
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *arguments):
    assert main(list(arguments)) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    return said[0]


def test_a_run_is_called_as_its_folder_or_by_two_words(root, capsys):
    ours(root, "small")
    damage.job(root)
    names = [run["name"] for run in answered(capsys, "runs")["runs"]]
    assert "small" in names
    [other] = set(names) - {"small"}
    assert len(other.split("-")) == 2
    assert answered(capsys, "runs", "list", str(root))["runs"] == answered(capsys, "runs")["runs"]


@pytest.mark.parametrize("meant", ["small", "id-of-small", "id-o", "run:small", "folder"])
def test_a_run_is_shown_by_whatever_it_is_called(root, capsys, meant):
    change(ours(root, "small"), **NUMBERS)
    found = answered(capsys, "runs", "show", str(root / "small") if meant == "folder" else meant)
    assert (found["id"], found["name"]) == ("id-of-small", "small")
    assert found["colour"] in COLOURS
    numbers = found["numbers"]
    assert (numbers["lost"], numbers["gained"], numbers["verdict"]) == (20, 1, "worse")
    assert numbers["latency_ratio"] == 0.5
    assert "99 images: too few to judge" in found["doubts"]
    assert main(["runs", "show", "small"]) == 0
    said = capsys.readouterr().out
    assert "20 images were lost and 1 gained: a real difference (p < 0.001)" in said
    assert "0.50 of its base (0.45–0.55)" in said


def test_a_run_of_an_earlier_version_shows_no_ratio_and_why(root, capsys):
    ours(root, "small")
    assert main(["runs", "show", "small"]) == 0
    assert "no ratio: made before its base was timed beside it" in capsys.readouterr().out


def test_a_run_is_renamed_coloured_and_noted_in_its_own_folder(root, capsys):
    job = damage.job(root)
    ours(root, "small")
    for run in (job.id, "small"):
        answered(capsys, "runs", "rename", run, f"the {run[:5]} one", "--notes", "a\nb", "--colour", "rust")
    found = {run["name"]: run for run in answered(capsys, "runs")["runs"]}
    assert set(found) == {f"the {job.id[:5]} one", "the small one"}
    assert all(run["colour"] == "rust" and run["notes"] == "a\nb" for run in found.values())
    assert {path.parent.name for path in root.glob("*/label.json")} == {"small", damage.JOB}
    assert answered(capsys, "runs", "show", "the small one")["id"] == "id-of-small"


@pytest.mark.parametrize(
    "line",
    ["small mine --in DIR", "small --in DIR mine", "--in DIR small mine", "small --in DIR --notes old mine --json"],
)
def test_what_a_line_names_may_stand_in_any_order(root, capsys, monkeypatch, line):
    monkeypatch.setenv("EXPLORER_RUNS", str(root / "nowhere"))
    ours(root, "small")
    assert main(["runs", "rename", *line.replace("DIR", str(root)).split()]) == 0
    capsys.readouterr()
    assert [run["name"] for run in answered(capsys, "runs", str(root))["runs"]] == ["mine"]
    assert answered(capsys, "runs", "delete", "mine", "--in", str(root))["deleted"] == [str(root / "small")]


def test_a_name_that_looks_like_an_option_stands_after_two_dashes(root, capsys):
    ours(root, "small")
    assert main(["runs", "rename", "small", "--notes", "a", "--", "-mine"]) == 0
    assert "small is called -mine" in capsys.readouterr().out
    assert "unrecognized arguments: --nots" in refused(capsys, "runs", "rename", "small", "--nots", "mine")
    assert "required: RUN" in refused(capsys, "runs", "rename", "--notes", "a")


def test_a_label_is_of_one_run_and_a_damaged_one_is_not_used(root, capsys):
    folder = ours(root, "small")
    answered(capsys, "runs", "rename", "small", "mine")
    change(folder, id="another")
    assert answered(capsys, "runs", "show", "small")["name"] == "small"
    (folder / "label.json").write_text('{"run": "another", "name": "forged", "colour": "rust", "notes": ""}')
    assert answered(capsys, "runs", "show", "small")["name"] == "small"
    assert answered(capsys, "runs", "rename", "small", "again")["name"] == "again"


def test_what_cannot_be_meant_is_said(root, capsys):
    ours(root, "small")
    ours(root, "other")
    change(root / "other", created=1.8e9)
    assert "did you mean small" in refused(capsys, "runs", "show", "smal")
    assert "nothing to change" in refused(capsys, "runs", "rename", "small")
    assert "is empty" in refused(capsys, "runs", "rename", "small", "  ")
    assert "at most 60 characters" in refused(capsys, "runs", "rename", "small", "x" * 61)
    assert "unknown colour 'pink'" in refused(capsys, "runs", "rename", "small", "--colour", "pink")
    assert "at most 2,000 characters" in refused(capsys, "runs", "rename", "small", "--notes", "x" * 2001)
    answered(capsys, "runs", "rename", "other", "small")
    said = refused(capsys, "runs", "delete", "small")
    assert "means 2 runs: id-of-small in" in said
    assert "there is no folder" in refused(capsys, "runs", "show", "small", "--in", str(root / "nowhere"))


def test_deleting_takes_the_run_and_nothing_else(root, capsys):
    folder, job = ours(root, "small"), damage.job(root)
    (folder / "thesis.tex").write_text("…")
    assert "'thesis.tex'" in refused(capsys, "runs", "delete", "small")
    assert (folder / "thesis.tex").read_text() == "…"
    (folder / "thesis.tex").unlink()
    answered(capsys, "runs", "rename", "small", "mine")
    assert answered(capsys, "runs", "delete", "mine", job.id)["deleted"] == [str(folder), job.directory]
    assert os.listdir(root) == []


@pytest.mark.parametrize("place", ["", "bundle", "bundle.partial"])
def test_what_is_not_of_a_run_of_the_app_keeps_it_and_all_others(root, capsys, place):
    small, job = ours(root, "small"), damage.job(root)
    owned.mark(root / damage.JOB, owned.RUN)
    for written in (".job.json.0123abcd", "desk.lock", "scores.json", ".bundle.0123abcd.earlier"):
        (root / damage.JOB / written).write_text("")
    steps = root / damage.JOB / "bundle.partial"
    damage.interrupted(steps)
    theirs = root / damage.JOB / place / "thesis.tex"
    theirs.write_text("…")
    said = refused(capsys, "runs", "delete", "small", job.id)
    assert f"{theirs.parent} also holds 'thesis.tex'" in said
    assert theirs.read_text() == "…"
    assert small.is_dir()
    theirs.unlink()
    assert answered(capsys, "runs", "delete", "small", job.id)["deleted"] == [str(small), job.directory]
    assert os.listdir(root) == []


def test_what_is_gone_already_is_told_where_a_run_resists(root, capsys, monkeypatch):
    small, large = ours(root, "small"), ours(root, "large")
    removed = owned.remove_folder

    def resisting(folder):
        if folder == large:
            raise PermissionError(13, "Permission denied")
        removed(folder)

    monkeypatch.setattr(owned, "remove_folder", resisting)
    said = refused(capsys, "runs", "delete", "small", "large")
    assert f"can't delete {large}" in said
    assert f"deleted already: {small}" in said
    assert os.listdir(root) == ["large"]


def test_the_beginning_of_a_folder_is_not_that_of_an_id(root, capsys, monkeypatch):
    """Reports of early versions have no id: then it is the folder."""
    monkeypatch.chdir(root)
    monkeypatch.setenv("EXPLORER_RUNS", "runs")
    other, meant = ours(root / "runs", "exp10"), ours(root, "exp1")
    change(other, id=None)
    assert "unknown run" in refused(capsys, "runs", "delete", "runs/exp1")
    change(meant, id=None)
    meant.rename(root / "runs" / "exp1")
    assert answered(capsys, "runs", "delete", "runs/exp1")["deleted"] == ["runs/exp1"]
    assert os.listdir(root / "runs") == ["exp10"]


def test_an_interrupted_run_is_deleted_with_its_steps(root, capsys):
    damage.interrupted(root / "stopped.partial")
    assert "no folder yet" in refused(capsys, "runs", "rename", "stopped", "mine")
    assert answered(capsys, "runs", "delete", "stopped")["deleted"] == [str(root / "stopped.partial")]
    assert os.listdir(root) == []


def test_a_run_that_others_need_or_are_at_stays(root, capsys):
    folder, job = ours(root, "small"), damage.job(root)
    running = Job("running", "", "VGG", job.request, "cpu", str(root / "running"), state="running")
    running.request = {**job.request, "spec": {**job.request["spec"], "model": f"run:{folder}"}}
    owned.make_folder(root / "running", owned.RUN)
    running.save()
    assert "is under way and began with small" in refused(capsys, "runs", "delete", "small")
    assert folder.is_dir()


def test_runs_of_different_networks_are_compared_apart(root, capsys):
    change(ours(root, "small"), **NUMBERS)
    change(ours(root, "large"), pruned=damage.measured(0.85, 180, 300))
    change(ours(root, "other", model="demo:resnet20-digits"))
    found = answered(capsys, "runs", "compare", "small", "other", "large")
    assert [(facet["network"], facet["runs"]) for facet in found["facets"]] == [
        ("demo:vgg-digits", ["small", "large"]),
        ("demo:resnet20-digits", ["other"]),
    ]
    assert found["facets"][0]["frontier"]["macs"] == ["small", "large"]
    assert {group["network"] for group in found["groups"]} == {"demo:vgg-digits", "demo:resnet20-digits"}
    assert main(["runs", "compare", "small", "other", "large"]) == 0
    said = capsys.readouterr().out
    assert "compare numbers within each table only" in said
    assert "worse: 20 lost, 1 gained" in said
    assert "Runs without a latency were made before" in said


def test_only_finished_runs_are_compared(root, capsys):
    damage.interrupted(root / "stopped.partial")
    assert "stopped is unfinished" in refused(capsys, "runs", "compare", "stopped")
