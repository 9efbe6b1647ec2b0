"""Weights over the steps of a run: what is kept of each step, what came back, and where the margins lie."""

import contextlib
import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from explorer.cli import main
from explorer.errors import Cancelled, ExplorerError
from explorer.runs import kept_steps as kept
from explorer.runs.history.comparison import compare, curve, row
from explorer.runs.history.finished import read_finished
from explorer.runs.history.lineage import read_runs
from explorer.runs.history.single_weights import margins, read_sparse, snapshot, weights_of
from explorer.runs.history.tracking import MLflow
from tests.runs import damage
from tests.runs.sparse_run import sparse_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run, and its folder."""
    out = tmp_path_factory.mktemp("weights") / "out"
    with pytest.MonkeyPatch.context() as patch:
        yield out, sparse_run(out, patch)


def test_every_step_is_kept_with_its_weights_and_masks(run):
    out, report = run
    found = read_sparse(out)
    assert [step["step"] for step in found.steps] == [1, 2, 3]
    last = load_file(out / "weights.safetensors")
    for number in (1, 2, 3):
        folder = out / report["steps"][number - 1]["folder"]
        for name in found.layers:
            now, told = snapshot(found, name, number), found.layer(name, number)
            assert torch.equal(now.pruned_at > 0, now.weight == 0)
            assert int((now.pruned_at == 0).sum()) == told["kept"]
            assert int(now.regrown.sum()) == told["regrown"]
            assert int((now.pruned_at == number).sum()) == told["removed"]
            assert torch.equal(load_file(folder / "weights.safetensors")[name], now.weight)
    assert all(torch.equal(snapshot(found, name).weight, last[name]) for name in found.layers)
    assert sum(layer["regrown"] for layer in found.at(2)["layers"]) > 0


def test_a_run_under_way_is_read_like_a_finished_one(run, tmp_path, monkeypatch):
    def interrupt(fraction, message, **metrics):
        if message.startswith("step 3 of 3"):
            raise Cancelled

    finished = read_sparse(run[0])
    with pytest.raises(Cancelled):
        sparse_run(tmp_path / "out", monkeypatch, interrupt)
    found = read_sparse(tmp_path / "out")
    assert found.result is None
    assert weights_of(found)["saved"] is None
    for step, same in zip(found.steps, finished.steps, strict=False):
        assert {key: step[key] for key in ("step", "sparsity", "layers", "top1_after")} == {
            key: same[key] for key in ("step", "sparsity", "layers", "top1_after")
        }
    assert len(found.steps) == 2
    for name in found.layers:
        mine, theirs = snapshot(found, name, 2), snapshot(finished, name, 2)
        assert torch.equal(mine.weight, theirs.weight)
        assert torch.equal(mine.regrown, theirs.regrown)


def test_margins_are_those_of_all_layers_where_they_compete(run):
    found = read_sparse(run[0])
    first = {layer["name"]: layer["margins"] for layer in found.at(1)["layers"]}
    largest = max(max(abs(low), abs(high)) for low, high in first.values())
    assert {margins(found, name, 1) for name in found.layers} == {(-largest, largest)}
    name = found.layers[1]
    low, high = found.layer(name, 2)["margins"]  # an exchange goes on within each layer
    assert margins(found, name, 2) == (-max(-low, high), max(-low, high))
    assert margins(replace(found, spec={**found.spec, "criterion": "snip"}), name, 1) is None
    alone = {**found.spec, "settings": {"schedule": "cubic", "scope": "layer", "margins": "signed"}}
    assert margins(replace(found, spec=alone), name, 1) == tuple(first[name])


def test_steps_that_are_not_kept_are_named(run, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(run[0], out)
    report = json.loads((out / "report.json").read_text())
    del report["steps"][0]["folder"]
    (out / "report.json").write_text(json.dumps(report))
    found = read_sparse(out)
    with pytest.raises(ExplorerError, match="after step 1 are not kept: choose one of 2, 3"):
        snapshot(found, found.layers[0], 1)
    assert snapshot(found, found.layers[0], 2).regrown is None
    assert weights_of(found, found.layers[0], 1)["layer"]["pruned_at"] is None


def test_a_limit_counts_what_is_kept_and_not_the_optimisers_memory(tmp_path, monkeypatch):
    whole = sparse_run(tmp_path / "one", monkeypatch)
    folder = tmp_path / "one" / whole["steps"][-1]["folder"]
    taken = sum((folder / name).stat().st_size for name in ("weights.safetensors", "pruned_at.safetensors"))
    monkeypatch.setattr(kept, "LIMIT", 2 * taken)
    again = sparse_run(tmp_path / "two", monkeypatch)
    assert [step.get("folder") for step in again["steps"]] == [None, "steps/02", "steps/03"]


def test_the_history_has_every_epoch_and_every_step(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(MLflow, "_attempt", lambda self, action, *arguments: None)  # nothing is sent
    monkeypatch.setattr(MLflow, "_add", lambda self, metrics, step: told.extend((name, step) for name in metrics))
    report = sparse_run(tmp_path / "out", monkeypatch, tracker=MLflow(tmp_path))
    epochs = sum(step["epochs"] for step in report["steps"])
    assert [step for name, step in told if name == "recovery/loss"] == list(range(1, epochs + 1))
    assert [step for name, step in told if name == "validation/top1"] == [1, 2, 3]


def test_the_command_tells_of_a_layer_at_a_step(run, capsys):
    out, report = run
    name = report["sparse"]["layers"][1]["name"]
    assert main(["weights", "--run", str(out), "--layer", name, "--step", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    told = report["steps"][1]["layers"][1]
    assert found["layer"]["kept"] == told["kept"]
    assert sum(found["layer"]["pruned_at"].values()) == told["weights"] - told["kept"]
    assert found["saved"]["latency_ms"] == {"base": 1.25, "pruned": 1.25}
    assert [step["regrown"] for step in found["steps"]] == [
        sum(layer["regrown"] for layer in step["layers"]) for step in report["steps"]
    ]
    assert main(["weights", "--run", str(out), "--layer", name]) == 0
    assert "came back" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--layer", "nowhere"], "unknown layer"),
        (["--step", "9"], "steps 1 to 3"),
        (["--sparsity", "0.5"], "its own sparsity"),
    ],
)
def test_what_a_run_does_not_have(run, capsys, words, complaint):
    assert main(["weights", "--run", str(run[0]), *words]) == 2
    assert complaint in capsys.readouterr().err


def test_a_folder_without_zeros_is_refused(tmp_path):
    with pytest.raises(ExplorerError, match="no finished step"):
        read_sparse(tmp_path)
    (tmp_path / "report.json").write_text("{")
    with pytest.raises(ExplorerError, match=r"can't be read|is damaged"):
        read_sparse(tmp_path)


def test_zeros_stand_beside_what_was_cut_and_not_in_its_place(run, capsys):
    out, report = run
    finished = read_finished(out, "zeros")
    found, zeros = row(finished).to_json(), report["sparse"]["zeros"]
    assert (found["macs_kept"], found["params_kept"]) == (1.0, 1.0)
    assert found["sparsity"] == pytest.approx(0.8, abs=1e-3)
    assert found["nonzero_params"] == report["base"]["params"] - zeros
    shares = [point.nonzero for point in curve(finished)]
    assert shares == pytest.approx([1.0, *[1 - zeros / report["base"]["params"]] * 4])
    document = compare([finished, replace(finished, name="again")]).to_json()
    assert (document["groups"], document["plans"]) == ([], [])
    [record] = read_runs(out.parent)
    assert record.sparsity == found["sparsity"]
    for command in (["runs", str(out.parent)], ["compare", str(out)]):
        assert main(command) == 0
        assert "80.0% of weights" in capsys.readouterr().out


def test_a_damaged_run_is_refused_in_a_line_and_never_by_another_error(run, tmp_path):
    """Its report, changed in some hundred ways; what is read in spite of it can be shown."""
    folder = tmp_path / "run"
    shutil.copytree(run[0], folder)
    read = 0
    for _ in damage.damages(folder / "report.json", 4, 60):
        with contextlib.suppress(ExplorerError):
            found = read_sparse(folder)
            read += 1
            for layer in found.layers:
                json.dumps(weights_of(found, layer))
                margins(found, layer)
                snapshot(found, layer).histogram()
    assert 0 < read < 40
