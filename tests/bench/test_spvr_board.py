"""The comparison of SPvR: equal sizes, equal effort, one ranking for all sizes."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from explorer.bench import methods
from explorer.bench.methods import SPVR
from explorer.cli import main
from explorer.errors import Cancelled
from explorer.methods import METHODS
from explorer.methods.checking import check
from explorer.methods.tools import steps
from explorer.methods.tools.stages import Record


def test_every_network_is_trained_from_its_beginning_for_as_long():
    specs = list(replace(SPVR, seeds=1).specs())
    players = Counter(spec.criterion if spec.method == "one-shot" else spec.method for spec in specs)
    assert players == dict.fromkeys(("l1", "taylor", "random", "spvr"), 3)
    assert {(spec.recover, spec.epochs, spec.allocate) for spec in specs} == {("scratch", SPVR.epochs, "global")}
    assert Counter(spec.keep["params"] for spec in specs) == dict.fromkeys((0.3, 0.2, 0.1), 4)
    for spec in specs:
        check(spec)


def test_a_network_is_ranked_once_for_all_targets_of_a_seed(monkeypatch):
    """Everything else is done for each."""
    done = []

    def method(spec, report, memo):
        ranking = memo("scores", lambda: done.append("scores") or Record({"seed": spec.seed}))
        assert ranking.values["seed"] == spec.seed
        memo("recovery", lambda: done.append("recovery") or Record())
        raise Cancelled

    monkeypatch.setattr(methods, "_rankings", {})
    monkeypatch.setattr(methods, "METHODS", {**METHODS, "spvr": replace(METHODS["spvr"], function=method)})
    for spec in replace(SPVR, methods=("spvr",), seeds=2).specs():
        with pytest.raises(Cancelled):
            methods.play(spec)
    assert Counter(done) == {"scores": 2, "recovery": 6}


@pytest.mark.slow
def test_the_command_writes_table_and_picture_and_goes_on(tmp_path, capsys, monkeypatch):
    scored, score = [], steps.score_subject
    monkeypatch.setattr(steps, "score_subject", lambda *given: scored.append(given[1].criterion) or score(*given))
    rows, table, picture = (tmp_path / name for name in ("rows.jsonl", "table.md", "table.svg"))
    asked = (
        "bench spvr --models demo:vgg-digits --criteria random --targets params=0.2 --seeds 1 --epochs 1 --samples 4 "
        f"--processes 1 --json --quiet --resume {rows} --out {table} --figure {picture}"
    )
    assert main(asked.split()) == 0
    lines = json.loads(capsys.readouterr().out)["lines"]
    assert [line["method"] for line in lines] == ["one-shot", "spvr"]
    for line in lines:
        assert line["params"] == pytest.approx(0.2, rel=0.1)
    assert table.read_text().count("| params=0.2 |") == 2
    assert "SPvR" in picture.read_text()
    assert main(asked.split()) == 0
    assert json.loads(capsys.readouterr().out)["lines"] == lines
    assert scored.count("masking") == 1
