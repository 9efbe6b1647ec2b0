"""Runs on disk and the tree that they form."""

import json
import shutil

from explorer.cli import main
from explorer.methods.spec import Spec
from explorer.runs.history.lineage import read_runs, tree
from explorer.runs.queue.job import Job


def bundle(folder, id, created, parent=None, model="demo:vit-digits", **changes):
    """A folder as a run leaves it, as far as it is read here."""
    folder.mkdir(parents=True)
    size = {"params": 50, "macs": 50, "size_bytes": 200, "latency_ms": 1.0, "samples": 100, "metric": "top1"}
    judged = {"params": 60, "top1_before": 0.5, "top1_after": 0.97}
    step = {"step": 1, "macs": 60, "folder": "steps/01", "rolled_back": False, **judged}
    report = {
        "id": id,
        "created": created,
        "title": "ViT, pruned",
        "parent": parent,
        "spec": Spec(model, "digits", method="ifap", keep={"macs": 0.5}).to_json(),
        "base": {**size, "params": 100, "macs": 100, "top1": 0.99},
        "pruned": {**size, "top1": 0.97, "top1_low": 0.95, "top1_high": 0.98},
        "groups": [],
        "seconds": 1.0,
        "achieved": {"params": 0.6, "macs": 0.5},
        "steps": [step, {"step": 2, "macs": 50, "rolled_back": True, **judged}],
    }
    (folder / "report.json").write_text(json.dumps({**report, **changes}))
    (folder / "weights.safetensors").write_bytes(b"")
    return folder


def parent(folder, id, step=None):
    ref = f"run:{folder}" if step is None else f"run:{folder}/steps/{step:02}"
    return {"ref": ref, "id": id, "step": step}


def shape(forest):
    return [(branch.run.id, branch.run.parent_step, shape(branch.children)) for branch in forest]


def test_what_a_report_tells(tmp_path):
    bundle(tmp_path / "a", "one", 5.0)
    [run] = read_runs(tmp_path)
    assert (run.id, run.ref, run.method, run.criterion, run.recovery) == (
        "one",
        f"run:{tmp_path / 'a'}",
        "ifap",
        "group-norm",
        "none",
    )
    assert (run.base, run.pruned, run.low, run.high, run.kept["macs"]) == (0.99, 0.97, 0.95, 0.98, 0.5)
    assert (run.state, run.parent, run.created) == ("done", None, 5.0)
    assert [step.get("ref") for step in run.steps] == [f"run:{tmp_path / 'a' / 'steps' / '01'}", None]
    json.dumps(run.to_json())


def test_the_tree_also_after_its_folders_have_moved(tmp_path):
    a = bundle(tmp_path / "old" / "a", "one", 1.0)
    b = bundle(tmp_path / "old" / "b", "two", 2.0, parent(a, "one", 1), model=f"run:{a}/steps/01")
    bundle(tmp_path / "old" / "c", "three", 3.0, parent(a, "one"), model=f"run:{a}")
    bundle(tmp_path / "old" / "d" / "e", "four", 4.0, parent(b, "two", 1), model=f"run:{b}/steps/01")
    bundle(tmp_path / "old" / "z", "five", 0.5)
    expected = [("five", None, []), ("one", None, [("two", 1, [("four", 1, [])]), ("three", None, [])])]
    assert shape(tree(read_runs(tmp_path))) == expected
    shutil.move(tmp_path / "old", tmp_path / "new")
    assert shape(tree(read_runs(tmp_path))[::-1]) == expected[::-1]


def test_a_parent_that_was_written_anew_is_another_run(tmp_path):
    a = bundle(tmp_path / "a", "later", 9.0)
    bundle(tmp_path / "b", "two", 2.0, parent(a, "gone", 1), model=f"run:{a}/steps/01")
    assert shape(tree(read_runs(tmp_path))) == [("two", 1, []), ("later", None, [])]


def test_reports_of_earlier_versions_are_joined_by_their_folders(tmp_path):
    a = bundle(tmp_path / "a", None, 1.0)
    b = bundle(tmp_path / "b", None, 2.0, model=f"run:{a}")
    [(_, _, [(child, _, _)])] = shape(tree(read_runs(tmp_path)))
    assert child == str(b)


def test_what_is_damaged_is_named_and_the_others_are_read(tmp_path):
    bundle(tmp_path / "a", "one", 1.0)
    for name, text in (("broken", "{"), ("list", "[]"), ("lacks", '{"id": "x"}')):
        (bundle(tmp_path / name, name, 2.0) / "report.json").write_text(text)
    damaged = []
    assert [run.id for run in read_runs(tmp_path, damaged.append)] == ["one"]
    assert sorted(found.name for found in damaged) == ["broken", "lacks", "list"]
    assert all("damaged" in found.reason for found in damaged)


def test_steps_and_copies_of_reports_are_no_runs_of_their_own(tmp_path):
    a = bundle(tmp_path / "a", "one", 1.0)
    bundle(a / "steps" / "01", "one", 1.0)
    (tmp_path / "artifacts").mkdir()
    shutil.copy(a / "report.json", tmp_path / "artifacts")
    assert [run.folder for run in read_runs(tmp_path)] == [a]


def test_unfinished_runs(tmp_path):
    spec = Spec(f"run:{tmp_path / 'a'}/steps/01", "digits", method="ifap").to_json()
    bundle(tmp_path / "a", "one", 1.0)
    bundle(tmp_path / "a" / "steps" / "01", "one", 1.0, step=1)
    partial = tmp_path / "b.partial"
    partial.mkdir()
    (partial / "spec.json").write_text(json.dumps(spec))
    (partial / "run.json").write_text(
        json.dumps({"id": "two", "created": 2.0, "parent": parent(tmp_path / "a", "one", 1)})
    )
    (tmp_path / "job").mkdir()
    job = Job(
        "three", "", "ViT", {"kind": "prune", "spec": spec}, "cpu", str(tmp_path / "job"), state="failed", created=3.0
    )
    job.save()
    (tmp_path / "job" / "bundle.partial").mkdir()
    (tmp_path / "job" / "bundle.partial" / "spec.json").write_text(json.dumps(spec))
    records = read_runs(tmp_path)
    assert [(run.id, run.state) for run in records] == [("one", "done"), ("two", "unfinished"), ("three", "failed")]
    assert shape(tree(records)) == [("one", None, [("two", 1, []), ("three", 1, [])])]


def test_the_command(tmp_path, capsys, monkeypatch):
    a = bundle(tmp_path / "a", "one", 1.0)
    bundle(tmp_path / "b", "two", 2.0, parent(a, "one", 1), model=f"run:{a}/steps/01")
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path))
    assert main(["runs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("a ")
    assert f" run:{a} " in lines[1]
    assert lines[2].startswith("└ b ")
    assert f" run:{tmp_path / 'b'} " in lines[2]
    assert all(word in lines[2] for word in ("ifap", "50.0%", "top-1 97.0%", "step 1", "done"))
    assert main(["runs", str(tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [run["id"] for run in document["runs"]] == ["one", "two"]
    assert document["tree"][0]["children"][0]["step"] == 1
    assert main(["runs", str(tmp_path / "none")]) == 2
    assert "no folder" in capsys.readouterr().err
