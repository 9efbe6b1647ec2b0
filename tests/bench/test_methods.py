"""The scoreboard: its runs are those of the command line, its intervals honest, and nothing is played twice."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from explorer.bench import figure, methods
from explorer.bench.methods import Grid, cells, markdown, play, scoreboard, summary
from explorer.bench.seeds import interval
from explorer.cli import main
from explorer.errors import ExplorerError
from explorer.methods import METHODS
from explorer.tasks import wilson

FILE = Path(__file__).parents[2] / "docs" / "scoreboard.jsonl"
SMALL = Grid(
    models=("demo:vgg-digits",),
    methods=("one-shot",),
    criteria=("l1", "random"),
    recoveries=("none",),
    targets=("macs=0.5",),
    seeds=2,
    samples=64,
)
ROW = {
    "run": "a", "model": "demo:vgg-digits", "method": "one-shot", "criterion": "l1", "allocate": "global",
    "recover": "none", "target": "macs=0.5", "seed": 0, "epochs": 4, "metric": "top1", "base": 0.9, "macs": 0.5,
    "params": 0.4, "as_cut": 0.2, "value": 0.6, "samples": 100, "seconds": 1.0,
}  # fmt: skip


@pytest.fixture
def counted(monkeypatch):
    """The runs that are played, none of them for real."""
    played = []

    def pretend(spec):
        played.append(spec)
        return ROW | {"run": spec.digest(), "criterion": spec.criterion, "seed": spec.seed}

    monkeypatch.setattr(methods, "play", pretend)
    return played


def test_a_run_is_the_one_of_the_command_line():
    spec = replace(next(SMALL.specs()), recover="bn", epochs=None)
    row, outcome = play(spec), METHODS["one-shot"].function(spec)
    for name, found in (("base", outcome.base), ("as_cut", outcome.as_cut), ("value", outcome.pruned)):
        assert row[name] == found["top1"]
    assert row["macs"] == outcome.achieved["macs"]


def test_every_combination_is_played_with_the_same_effort():
    specs = list(
        replace(SMALL, methods=("one-shot", "ifap"), epochs=8, steps=4, recoveries=("none", "distill")).specs()
    )
    assert len(specs) == len({spec.digest() for spec in specs}) == 2 * 2 * 2 + 2
    effort = {spec.method: spec.epochs * (spec.steps if spec.method == "ifap" else 1) for spec in specs}
    assert effort == {"one-shot": 8, "ifap": 8}


def test_presets_are_players_of_their_own_with_one_course():
    grid = replace(SMALL, methods=("ifap", "spvr"), presets=("ours", "published"), epochs=8, steps=4, seeds=1)
    ours, published, *ranked = grid.specs()
    assert (ours.normalise, published.normalise) == ("mean", "none")
    assert published.options == {"activation": "relu"}
    for spec in (ours, published):
        told = METHODS["ifap"].told(spec)
        assert (spec.steps, spec.epochs, told["rho"], told["max_drop"]) == (4, 2, None, 1.0)
    assert ours == next(replace(grid, presets=Grid.presets).specs())
    assert [spec.options for spec in ranked] == [{}, {"masked": "weights", "coupling": "stages"}]
    row = methods.preset_of(published)
    lines = summary([ROW | {"method": "ifap"}, ROW | {"method": "ifap", **row}])
    assert [methods.player(line, lines) for line in lines] == ["IFAP", "IFAP, as published"]
    assert cells(lines[1])[1] == "ifap, published"
    with pytest.raises(ExplorerError, match="did you mean published"):
        replace(grid, presets=("publishd",)).check()


def test_the_rows_that_come_with_the_project_are_not_played_again():
    """Fields that a spec has got since they were made, and that they don't use, change nothing."""
    rows = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    parts = {"models": "model", "methods": "method", "criteria": "criterion", "allocations": "allocate"}
    parts |= {"recoveries": "recover", "targets": "target"}
    found = {name: tuple(dict.fromkeys(row[key] for row in rows)) for name, key in parts.items()}
    known = {spec.digest() for spec in Grid(**found, seeds=1 + max(row["seed"] for row in rows)).specs()}
    assert {row["run"] for row in rows} <= known


def test_one_run_has_the_interval_of_its_test_data():
    assert interval([0.6], 100) == pytest.approx(wilson(60, 100))


def test_runs_that_differ_widen_the_interval_by_students_t():
    low, high = interval([1.0, 2.0, 3.0], None)
    assert (low, high) == pytest.approx((2 - 4.30265 / 3**0.5, 2 + 4.30265 / 3**0.5), rel=1e-5)
    low, high = interval([0.5, 0.6, 0.7], 100)
    narrow_low, narrow_high = wilson(60, 100)
    assert 0 <= low < narrow_low < narrow_high < high <= 1


def test_a_line_has_the_means_of_its_seeds():
    rows = [ROW, ROW | {"seed": 1, "value": 0.8, "macs": 0.48}, ROW | {"criterion": "l2"}]
    first, second = summary(rows)
    assert (first["value"], first["macs"], first["runs"]) == (pytest.approx(0.7), pytest.approx(0.49), 2)
    assert (second["criterion"], second["runs"]) == ("l2", 1)
    assert "70.0%" in cells(first)


def test_finished_rows_are_not_played_again(tmp_path, counted):
    kept = tmp_path / "rows.jsonl"
    rows = scoreboard(SMALL, kept=kept)
    assert len(counted) == len(rows) == 4
    torn = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join(torn[:3]) + torn[3][:20])  # killed while the last was written
    assert scoreboard(SMALL, kept=kept) == rows
    assert len(counted) == 5


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"model": "x"}\n')
    with pytest.raises(ExplorerError, match="holds no rows of this table"):
        scoreboard(SMALL, kept=path)


def test_a_run_that_can_not_be_made_says_why():
    row = play(replace(next(SMALL.specs()), model="demo:vit-digits", criterion="bn-scale"))
    (line,) = summary([row])
    assert "batch normalisation" in line["error"]
    assert line["error"] in markdown([line])
    with pytest.raises(ExplorerError, match="nothing to draw"):
        figure.figure([line])


def test_unknown_names_are_refused():
    with pytest.raises(ExplorerError, match="criterion"):
        scoreboard(replace(SMALL, criteria=("nonsense",)))


def test_the_command_writes_table_and_picture(tmp_path, capsys):
    table, picture = tmp_path / "table.md", tmp_path / "table.svg"
    asked = (
        "bench methods --models demo:vgg-digits --methods one-shot --criteria l1,random --recoveries none "
        "--targets macs=0.5 --seeds 1 --samples 64 --processes 1 --json --quiet"
    )
    code = main([*asked.split(), "--out", str(table), "--figure", str(picture)])
    lines = json.loads(capsys.readouterr().out)["lines"]
    assert code == 0
    assert [line["criterion"] for line in lines] == ["l1", "random"]
    assert table.read_text().count("demo:vgg-digits") == 2
    assert "Random" in picture.read_text()


@pytest.mark.parametrize("text", ["my thesis\nits last line", "its only line", "[" * 100_000 + "\n", '{"a": 1}\nx'])
def test_a_file_of_something_else_stays_as_it_is(tmp_path, text):
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(ExplorerError, match="holds no rows of this table"):
        scoreboard(SMALL, kept=path)
    assert path.read_text() == text
