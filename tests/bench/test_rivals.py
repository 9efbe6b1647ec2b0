"""The comparison with torch-pruning: cuts meet their targets, both see the same images, intervals are honest."""

import copy
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from explorer.batches import batches, subset
from explorer.bench.answers import packed, unpacked
from explorer.bench.rivals import (
    REVISION,
    SMALL,
    Grid,
    choices,
    compare,
    compared,
    comparison,
    content,
    everybody,
    kept_lines,
    markdown,
    outdated,
    playing,
    said,
    short,
    verdicts,
)
from explorer.bench.rivals.bootstrap import interval
from explorer.bench.rivals.grid import Run
from explorer.bench.rivals.library import STEPS, Way, as_plan, prune_to
from explorer.bench.rivals.players import CHOICE, RIVALS, Gradual, Ours, Searched, player_of
from explorer.bench.rivals.playing import Ground, play
from explorer.bench.rows import PlayedRival
from explorer.cli import main
from explorer.documents import checked
from explorer.errors import ExplorerError
from explorer.methods.studies.best_plan import search
from explorer.methods.studies.ways import PLAIN
from explorer.pruning import Plan, cut
from explorer.recovery import Origin, recover
from explorer.sources import load_model, load_pair
from explorer.structure import analyse, count
from explorer.tasks import evaluate

VGG, VIT = "demo:vgg-digits", "demo:vit-digits"
TINY = Grid(
    models=(VGG,),
    searched=(),
    rivals=("l2-global",),
    tuned=(),
    methods=(),
    targets=("macs=0.5",),
    seeds=2,
    tuned_seeds=0,
    samples=32,
)
IMAGES = 40


def run_of(player, *, model=VGG, seed=0, epochs=0) -> Run:
    return Run(model, "digits", player, "macs=0.5", seed, 32, "test", epochs)


def row(side, player, seed=0, **stages) -> dict:
    """A row whose player answers so many of the first images right, by stage."""
    told = {
        stage: {"value": right / IMAGES, "right": packed(np.arange(IMAGES) < right), "seconds": 1.0}
        for stage, right in stages.items()
    }
    return {
        "run": f"{side} {player} {seed} {list(stages)}", "side": side, "player": player, "model": VGG, "seed": seed,
        "target": "macs=0.5", "split": "test", "epochs": 2 if "tuned" in stages else 0, "drawn": 32, "metric": "top1",
        "base": 1.0, "rounds": 1, "samples": 32, "content": "one", "revision": REVISION, "tested": IMAGES,
        "params": 0.4, "macs": 0.5, "reach": 1.0, "stages": told,
    }  # fmt: skip


def test_one_seed_has_the_interval_of_its_images():
    theirs = np.arange(400) < 200
    ours = np.arange(400) < 240
    low, high = interval(ours[None], theirs[None])
    arm = 1.96 * (0.1 * 0.9 / 400) ** 0.5
    assert (low, high) == pytest.approx((0.1 - arm, 0.1 + arm), abs=0.004)


def test_seeds_are_drawn_as_well_as_images():
    ours, theirs = np.array([[True] * 50, [False] * 50]), np.zeros((2, 50), bool)
    assert interval(ours, theirs) == (0.0, 1.0)  # of two seeds one in four draws has the first alone
    assert interval(ours, ours) == (0.0, 0.0)


def test_the_interval_covers_a_known_difference():
    """Effects of images and of seeds, crossed, around a difference of 0.1."""
    generator = np.random.default_rng(0)
    covered, trials = 0, 200
    for trial in range(trials):
        seeds = 0.1 + 0.05 * generator.standard_normal(8)
        hard = generator.random(150)
        chance = np.clip(0.4 + 0.4 * (hard - 0.5), 0, 1)
        theirs = generator.random((8, 150)) < chance
        ours = generator.random((8, 150)) < np.clip(chance + seeds[:, None], 0, 1)
        low, high = interval(ours, theirs, draws=400, seed=trial)
        covered += low <= 0.1 <= high
    assert covered / trials > 0.9


def test_answers_that_can_not_be_paired_are_refused():
    with pytest.raises(ValueError, match="can't be paired"):
        interval(np.zeros((1, 3), bool), np.zeros((1, 4), bool))
    right = np.random.default_rng(0).random(19) < 0.5
    assert (unpacked(packed(right), 19) == right).all()
    with pytest.raises(ValueError, match="answers"):
        unpacked(packed(right), 40)


@pytest.mark.parametrize(
    ("model", "way"), [(VGG, Way("l2", "uniform")), (VGG, Way("l2", "global", STEPS)), (VIT, Way("l2", "isomorphic"))]
)
def test_a_rivals_cut_meets_the_target_and_is_a_plan_of_ours(model, way):
    loaded = load_model(model)
    example, whole = loaded.example(), loaded.module
    structure = analyse(whole, example)
    goal = structure.cost().macs // 2
    found = prune_to(whole, structure, example, goal, way, lambda module: None)
    macs = count(found.module, example).macs
    assert 0.44 * structure.cost().macs < macs <= goal
    plan = as_plan(whole, structure, found)
    assert plan.cost(structure).macs == macs
    with torch.inference_mode():
        assert torch.equal(cut(whole, structure, plan).module(example), found.module.eval()(example))
    assert count(whole, example) == structure.cost()  # as it was


def test_taylor_ranks_by_the_gradients_of_the_drawn_images():
    ground = Ground(run_of(RIVALS["taylor-global"]))
    loaded, structure = ground.subject.module, ground.subject.structure
    seen = []

    def look(module):
        ground.look(module)
        seen.append(next(module.parameters()).grad.norm().item())

    found = prune_to(loaded, structure, ground.example, ground.goal, RIVALS["taylor-global"].way, look)
    assert len(seen) == 1
    assert seen[0] > 0
    assert count(found.module, ground.example).macs <= ground.goal
    assert next(loaded.parameters()).grad is None


def test_both_sides_see_the_same_images_which_differ_by_seed():
    ours, theirs, other = (Ground(run) for run in (run_of(Ours()), run_of(RIVALS["l2-global"]), run_of(Ours(), seed=1)))
    places = [list(ground.task.calibration.indices) for ground in (ours, theirs, other)]
    assert places[0] == places[1] != places[2]
    assert len(places[0]) == 32
    assert ours.judged is theirs.judged


def test_few_calibration_images_are_not_all_taken_so_that_seeds_differ():
    ground = Ground(replace(run_of(Ours()), samples=10_000))
    assert ground.samples == int(0.75 * 180)


def test_a_run_holds_what_a_row_needs():
    for player in (Ours(), RIVALS["l2-global"]):
        found = checked(play(run_of(player)), PlayedRival, "row")
        assert found["macs"] <= 0.5
        assert list(found["stages"]) == ["as_cut", "recalibrated", "repaired"]
        for stage in found["stages"].values():
            assert unpacked(stage["right"], found["tested"]).mean() == stage["value"]
    assert list(play(run_of(Ours(), model=VIT))["stages"]) == ["as_cut", "repaired"]  # it has no batch norm


@pytest.mark.slow
def test_the_best_plan_is_searched_for_at_every_stage_and_keeps_to_the_target(monkeypatch):
    asked = []

    def watched(spec, targets, **given):
        asked.append((given["after"], spec.criterion, *given["criteria"]))
        return search(spec, targets, **given)

    monkeypatch.setattr(playing, "search", watched)
    player = Searched(("group-norm", "taylor-activation"))
    assert player_of("ours", player.name) == player
    found = checked(play(run_of(player)), PlayedRival, "row")
    assert asked == [(after, *player.criteria) for after in ("none", "bn", "repair")]
    assert list(found["stages"]) == ["as_cut", "recalibrated", "repaired"]
    for stage in found["stages"].values():
        assert 0.4 < stage["macs"] <= 0.5
        assert stage["reach"] > 0
        assert unpacked(stage["right"], found["tested"]).mean() == stage["value"]
    alone = [play(run_of(Ours(name, way)))["stages"]["as_cut"] for name in player.criteria for way in PLAIN]
    assert found["stages"]["as_cut"]["right"] in [each["right"] for each in alone]


def test_a_run_that_can_not_be_made_says_why():
    found = checked(play(run_of(Ours("bn-scale"), model=VIT)), PlayedRival, "row")
    assert "batch normalisation" in found["error"]
    (line,) = everybody([found])
    assert line["error"] == found["error"]
    assert compared([found]) == []


@pytest.mark.slow
@pytest.mark.parametrize("player", [Ours(), RIVALS["l2-global"], RIVALS["l2-global-trained"], Gradual("ifap")])
def test_everybody_is_fine_tuned(player):
    found = checked(play(replace(run_of(player, epochs=2), rounds=2)), PlayedRival, "row")
    assert found["stages"]["tuned"]["value"] > 0.8
    assert found["macs"] <= 0.51


@pytest.mark.slow
def test_a_method_that_could_take_out_blocks_stops_at_the_target():
    run = replace(run_of(Gradual("idap"), model="demo:resnet20-digits", epochs=2), rounds=2)
    found = checked(play(run), PlayedRival, "row")
    assert 0.4 < found["macs"] <= 0.51
    assert found["stages"]["tuned"]["value"] > 0.8


def test_the_choice_is_judged_against_the_best_rival_of_each_stage():
    choice = CHOICE
    rows = [
        row("ours", choice, as_cut=10, recalibrated=20, repaired=38),
        row("ours", "l1/global/reconstruct", as_cut=40, recalibrated=40, repaired=40),
        row("theirs", "l2-global", as_cut=12, recalibrated=20, repaired=39),
        row("theirs", "l2-uniform", as_cut=4, recalibrated=30),
        row("ours", choice, tuned=40),
        row("theirs", "l2-global", tuned=20),
        row("theirs", "l2-global", tuned=40) | {"epochs": 1},  # a shorter training, of an earlier table
    ]
    lines = {line["stage"]: line for line in compared(rows)}
    told = {stage: (line["rival"], line["rival_stage"], line["verdict"]) for stage, line in lines.items()}
    assert told == {
        "as_cut": ("l2-global", "as_cut", "equal"),
        "recalibrated": ("l2-uniform", "recalibrated", "behind"),
        "repaired": ("l2-uniform", "recalibrated", "ahead"),
        "tuned": ("l2-global", "tuned", "ahead"),
    }
    assert lines["repaired"]["lent"] == 39 / IMAGES
    assert verdicts(list(lines.values()))["untrained"] == {"lines": 3, "ahead": 1, "at_least_equal": 2}
    assert said(list(lines.values())).startswith(
        "Of 3 rows without training, ours is ahead in 1 and at least equal in 2."
    )
    assert compared(rows, "l1/global/reconstruct")[0]["verdict"] == "ahead"


def test_our_choices_stand_in_the_order_of_their_means():
    rows = [row("ours", name, repaired=right) for name, right in ((CHOICE, 20), ("l1/global/reconstruct", 38))]
    rows += [row("ours", "flow/global/reconstruct", repaired=20)]
    told = [(line["player"].partition("/")[0], line["ahead"], line["equal"]) for line in choices(rows)]
    assert told == [("l1", 1, 0), ("best-plan", 0, 1), ("flow", 0, 1)]
    assert choices(rows)[0]["stages"] == {"repaired": 38 / IMAGES}


def test_only_seeds_that_both_have_are_compared():
    rows = [row("ours", CHOICE, seed, as_cut=20 + seed) for seed in range(3)]
    rows += [row("theirs", "l2-global", seed, as_cut=20 + seed) for seed in (1, 2, 5)]
    (line,) = compared(rows)
    assert (line["seeds"], line["difference"]) == (2, 0.0)


def test_finished_rows_are_not_played_again(tmp_path, monkeypatch):
    played = []

    def pretend(run):
        played.append(run)
        return row(run.player.side, run.player.name, run.seed, as_cut=20) | {"run": run.digest()}

    monkeypatch.setattr(comparison, "play", pretend)
    kept = tmp_path / "rows.jsonl"
    rows = compare(TINY, kept=kept)
    assert outdated(kept, rows) == 0
    assert len(played) == len(rows) == 4
    torn = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join(torn[:3]) + torn[3][:20])  # killed while the last was written
    assert compare(replace(TINY, seeds=3), kept=kept)[:2] == rows[:2]
    assert len(played) == 4 + 1 + 2


@pytest.mark.parametrize("what", ["weights", "images", "revision"])
def test_rows_of_other_weights_images_or_revisions_are_played_again(tmp_path, monkeypatch, what):
    played = []

    def pretend(run):
        played.append(run)
        return row(run.player.side, run.player.name, run.seed, as_cut=20) | {"run": run.digest()} | run.told()

    def other(model, data):
        loaded, task = load_pair(model, data)
        if what == "weights":
            next(loaded.module.parameters()).data.flatten()[0] += 1e-3
            return loaded, task
        inputs, labels = batches(task.test, len(task.test)).__next__()
        inputs[0, 0, 0, 0] += 1e-3
        return loaded, replace(task, test=TensorDataset(inputs, labels))

    monkeypatch.setattr(comparison, "play", pretend)
    kept, grid = tmp_path / "rows.jsonl", replace(TINY, seeds=1)
    compare(grid, kept=kept)
    if what == "revision":
        made = [json.loads(line) for line in kept.read_text().splitlines()]
        kept.write_text(
            "".join(json.dumps(each | {"run": f"old {each['run']}", "revision": 1}) + "\n" for each in made)
        )
    else:
        monkeypatch.setattr(content, "load_pair", other)
        content.content_of.cache_clear()
    rows = compare(grid, kept=kept)
    content.content_of.cache_clear()
    assert len(played) == 4
    assert outdated(kept, rows) == 2


def test_rows_of_other_settings_are_not_paired_and_do_not_hide_each_other():
    ours = row("ours", CHOICE, as_cut=30)
    other = {"as_cut": {"value": 0.5, "right": packed(np.arange(20) < 10), "seconds": 1.0}}
    rows = [ours, row("theirs", "l2-global", as_cut=20)]
    rows += [each | {"samples": 64} for each in (row("ours", CHOICE, as_cut=5), row("theirs", "l2-global", as_cut=9))]
    rows += [row("theirs", "l2-uniform") | {"tested": 20, "stages": other}]
    rows += [row("theirs", "l2-uniform", as_cut=40) | {"content": "other weights"}]
    assert [(line["ours_value"], line["rival_value"]) for line in compared(rows)] == [(0.75, 0.5), (0.125, 0.225)]


def test_a_longer_training_that_one_side_has_not_ended_hides_no_shorter_one():
    ours, theirs = row("ours", CHOICE, tuned=30), row("theirs", "l2-global", tuned=20)
    begun = row("ours", CHOICE, tuned=40) | {"epochs": 8}
    (line,) = compared([ours, theirs, begun])
    assert (line["epochs"], line["ours_value"]) == (2, 0.75)
    (line,) = compared([ours, theirs, begun, theirs | {"epochs": 8}])
    assert (line["epochs"], line["ours_value"]) == (8, 1.0)
    rounds = theirs | {"rounds": 2, "stages": row("theirs", "l2-global", tuned=24)["stages"]}
    assert compared([ours, rounds, theirs])[0]["rival_value"] == 0.6  # both stand, and the better one counts


@pytest.mark.parametrize(
    ("grid", "options"),
    [
        (Grid(), ""),
        (SMALL, "--small"),
        (replace(SMALL, tuned_seeds=0), "--small --tuned-seeds 0"),
        (replace(Grid(), models=(VGG, VIT), samples=64), f"--models {VGG},{VIT} --samples 64"),
    ],
)
def test_a_grid_tells_the_command_that_makes_it(grid, options):
    words = ["python -m explorer bench rivals", options, "--resume docs/rivals.jsonl --out docs/rivals.md"]
    told = grid.command()
    assert told.startswith(" ".join(filter(None, words)))
    assert f"`{told}`" in short([], grid)
    assert f"    {told}\n" in markdown([], [], [], grid)


@pytest.mark.parametrize("training", ["finetune", "distill"])
def test_a_repaired_network_is_trained_from_where_the_repair_has_led(training):
    ground = Ground(run_of(Ours()))
    structure, device = ground.subject.structure, ground.device
    task = replace(ground.task, train=subset(ground.task.train, range(8)))
    remove = {name: tuple(range(group.units // 2)) for name, group in structure.groups.items()}
    origin = Origin(ground.subject.module, structure, Plan("", remove))
    repaired = cut(origin.module, structure, origin.plan).module
    recover("reconstruct", repaired, task, device=device, origin=origin)
    reached = evaluate(repaired, task.validation, kind=task.kind, device=device).value
    starts = [
        recover(training, copy.deepcopy(repaired), task, device=device, epochs=1, origin=origin, repaired=each).start
        for each in (True, False)
    ]
    assert starts[0] == reached != starts[1]


def test_every_player_is_found_by_its_name():
    for player in (Ours("flow", "lamp"), *RIVALS.values(), Gradual("ifap")):
        assert player_of(player.side, player.name) == player
    for name in ("nonsense", "l1/global", "l1/global/finetune"):
        with pytest.raises(ExplorerError):
            player_of("ours", name)


@pytest.mark.parametrize(
    ("grid", "what"),
    [
        (replace(TINY, rivals=("l2-globe",)), "did you mean l2-global"),
        (replace(TINY, rivals=("l2-global-trained",)), "--tuned"),
        (replace(TINY, ours=("nonsense",)), "unknown criterion"),
        (replace(TINY, methods=("one-shot",)), "--ours"),
        (replace(TINY, targets=("params=0.5",)), "no share of the MACs"),
        (replace(TINY, split="train"), "unknown split"),
        (replace(TINY, tuned_seeds=1, epochs=3, rounds=2), "can't be shared out"),
        (replace(TINY, seeds=0), "one seed"),
    ],
)
def test_what_makes_no_table_is_refused(grid, what):
    with pytest.raises(ExplorerError, match=what):
        grid.check()


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_pruning", None)
    with pytest.raises(ExplorerError, match="pip install 'torch-pruning"):
        compare(TINY)


def test_a_table_is_made_on_one_thread_also_in_this_process(monkeypatch):
    seen, before = [], torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        monkeypatch.setattr(
            comparison,
            "play",
            lambda run: seen.append(torch.get_num_threads()) or row("ours", "it") | {"run": run.digest()},
        )
        compare(replace(TINY, seeds=1), processes=1)
        assert set(seen) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
def test_the_command_writes_table_and_picture(tmp_path, capsys):
    table, picture = tmp_path / "table.md", tmp_path / "table.svg"
    asked = (
        f"bench rivals --models {VGG} --rivals l2-global --methods ifap --targets macs=0.5 --seeds 1 --tuned-seeds 0 "
        f"--samples 32 --processes 1 --json --quiet --resume {tmp_path / 'rows.jsonl'}"
    )
    assert main([*asked.split(), "--out", str(table), "--figure", str(picture)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [line["stage"] for line in answer["lines"]] == ["as_cut", "recalibrated", "repaired"]
    assert answer["verdicts"]["untrained"]["lines"] == 3
    assert "## Every player" in table.read_text()
    assert "best of torch-pruning" in picture.read_text()
    made = f"--models {VGG} --rivals l2-global --methods ifap --targets macs=0.5 --seeds 1 --tuned-seeds 0 --samples 32"
    beside = kept_lines(table.with_suffix(".json"))
    assert beside["lines"] == answer["lines"]
    assert made in beside["command"]
    assert made in table.read_text()
    table.with_suffix(".json").write_text("[1]")
    assert main([*asked.split(), "--out", str(table)]) != 0  # not of this program
    table.with_suffix(".json").unlink()
    assert main([*asked.split(), "--out", str(table)]) == 0  # its own table is written anew
