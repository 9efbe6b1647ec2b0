"""What belongs on the same axes, and which runs no other beats."""

import json
from dataclasses import replace

import pytest

from explorer.runs.history.doubts import doubts
from explorer.runs.history.facets import facets, frontier
from explorer.runs.history.finished import Finished, read_finished
from explorer.runs.history.lineage import read_runs, tree
from explorer.runs.history.networks import networks
from explorer.tasks.tools.task_kind import TASK_KINDS
from tests.runs.test_comparison import finished, measured
from tests.runs.test_lineage import bundle, parent


def ending(name, value, macs, *, metric="top1", zeros=0, **settings):
    """A run that ends at a value and so many MACs."""
    run = finished(name, **settings)
    pruned = measured(0.5, macs, macs) | {"metric": metric, metric: value, "nonzero_params": macs - zeros}
    base = run.result["base"] | {"metric": metric, metric: 0.9}
    return Finished(name, {**run.result, "base": base, "pruned": pruned}, run.plan)


def test_runs_of_other_networks_or_data_are_other_facets():
    runs = [finished("a"), finished("b", model="demo:vgg-digits"), finished("c"), finished("d", data="noise")]
    found = [(facet.network, facet.data, facet.runs) for facet in facets(runs)]
    assert found == [
        ("demo:resnet20-digits", "digits", ("a", "c")),
        ("demo:vgg-digits", "digits", ("b",)),
        ("demo:resnet20-digits", "noise", ("d",)),
    ]


def test_the_frontier_is_what_no_other_run_beats():
    small, beaten, large, twin = (
        ending("small", 0.7, 100),
        ending("beaten", 0.69, 150),
        ending("large", 0.9, 300),
        ending("twin", 0.7, 100),
    )
    assert frontier([beaten, large, small, twin], "macs") == ["small", "twin", "large"]
    assert frontier([ending("dense", 0.7, 100), ending("sparse", 0.7, 100, zeros=50)], "nonzero") == ["sparse"]
    unjudged = ending("unjudged", None, 50)
    assert frontier([unjudged, small], "macs") == ["small"]


def test_where_less_is_better_the_frontier_is_turned(monkeypatch):
    kind = TASK_KINDS["text-regression"]
    turned = replace(kind, metric=replace(kind.metric, higher_is_better=False))
    monkeypatch.setattr(type(TASK_KINDS), "declared", lambda registry: {kind.name: turned})
    cheap, dear, bad = (
        ending("cheap", 30.0, 100, metric="pearson"),
        ending("dear", 20.0, 300, metric="pearson"),
        ending("bad", 35.0, 200, metric="pearson"),
    )
    assert frontier([cheap, dear, bad], "macs") == ["cheap", "dear"]


def test_a_branch_is_of_the_network_that_its_first_parent_began_with(tmp_path):
    a = bundle(tmp_path / "a", "one", 1.0)
    b = bundle(tmp_path / "b", "two", 2.0, parent(a, "one", 1), model=f"run:{a}/steps/01")
    bundle(tmp_path / "c", "three", 3.0, parent(b, "two"), model=f"run:{b}")
    assert networks(tree(read_runs(tmp_path))) == dict.fromkeys(("one", "two", "three"), "demo:vit-digits")
    (tmp_path / "c" / "plan.json").write_text(json.dumps({"base": f"run:{b}", "remove": {}}))
    assert read_finished(tmp_path / "c").network == "demo:vit-digits"


def test_a_run_that_follows_itself_has_some_network(tmp_path):
    a = tmp_path / "a"
    bundle(a, "one", 1.0, model=f"run:{a}")
    assert networks(tree(read_runs(tmp_path))) == {"one": f"run:{a}"}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"trained": False}, ["untrained: it guesses"]),
        ({"trained": True, "chance": 0.8}, ["no better than chance"]),
        ({"trained": True, "chance": 0.1}, []),
        ({"pruned": {**measured(0.8, 150, 100), "samples": 9}}, ["9 images: too few to judge"]),
        ({"pruned": {**measured(0.8, 150, 100), "top1": None}}, ["not judged: no labels"]),
    ],
)
def test_what_looks_like_success_and_is_none_is_said(facts, said):
    run = finished()
    assert doubts(Finished(run.name, {**run.result, **facts}, run.plan)) == said
