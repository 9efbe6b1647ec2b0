"""The board of a notebook as Python sees it: what a view sends, what is answered, and when."""

import json
import random
import re
import sys
import threading
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import explorer as ex
from explorer.errors import ExplorerError
from explorer.structure import count

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"
CLASSES, SAMPLES = 4, 80
STEM, BODY = "stem", "body"


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1)
        self.body = nn.Conv2d(16, 24, 3, padding=1)
        self.head = nn.Linear(24, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.relu(self.body(F.relu(self.stem(x)))).mean((2, 3)))


class Metric:
    """The share of right answers, from zero to one; keeps what it is asked, and can be held up."""

    def __init__(self) -> None:
        self.__name__ = "hits"
        self.asked: list[Tensor] = []
        self.may, self.begun = threading.Event(), threading.Event()
        self.may.set()

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        self.asked.append(targets)
        self.begun.set()
        assert self.may.wait(60)
        return (outputs.argmax(1) == targets).double().mean()


@pytest.fixture
def metric():
    return Metric()


def opened(**given):
    """A problem whose validation data is sorted by class."""
    torch.manual_seed(0)
    inputs, targets = torch.randn(SAMPLES, 1, 8, 8), torch.arange(SAMPLES) * CLASSES // SAMPLES
    data = [(inputs[start : start + 16], targets[start : start + 16]) for start in range(0, SAMPLES, 16)]
    parts = {"train": data, "validation": data, "device": "cpu", **given}
    return ex.Problem(Net().eval(), example=inputs[:1], **parts)


@pytest.fixture
def problem(metric):
    return opened(metric=metric)


def board_of(problem, criterion="l1", **given):
    board = problem.board(criterion, **given)
    assert board.wait(60)
    return board


def send(board, **content):
    """As a message of the browser comes in."""
    board.comm.handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


def commit(board, removed, locked=(), revision=None, view="left"):
    revision = board.state["revision"] if revision is None else revision
    what = {"revision": revision, "removed": removed, "locked": list(locked), "selected": None, "inspect": None}
    send(board, kind="commit", view=view, commit=what)


def test_what_it_costs_is_what_the_cut_costs_to_the_unit(problem):
    board, drawn = board_of(problem), random.Random(0)
    scores = problem.score("l1")
    for _ in range(4):
        removed = {name: drawn.randrange(1, units) for name, units in problem.structure.full.items()}
        commit(board, removed)
        share = {name: gone / problem.structure.full[name] for name, gone in removed.items()}
        assert board.plan == problem.plan(scores, remove=share)
        assert board.cost == board.plan.cost(problem.structure)
        assert board.cost == count(problem.cut(board.plan).module, torch.zeros(1, 1, 8, 8))
    assert board.wait(60)


def test_what_it_reaches_is_what_the_masked_network_does(problem, metric):
    board = board_of(problem)
    whole = problem.evaluate()
    assert board.answer["value"] == f"{whole:.3f}"
    assert board.answer["note"] == f"whole network, on {SAMPLES} validation samples"
    commit(board, {STEM: 12})
    assert board.wait(60)
    value = problem.evaluate(problem.mask(board.plan))
    said = {name: board.answer[name] for name in ("label", "value", "change", "fraction", "failed")}
    change = f"{value - whole:+.3f}".replace("-", "−")
    assert said == {"label": "hits", "value": f"{value:.3f}", "change": change, "fraction": None, "failed": False}
    assert board.answer["note"].endswith("simulated by a mask")


def test_a_loss_is_shown_as_it_is_though_less_of_it_is_better():
    problem = opened(loss=F.cross_entropy)
    board = board_of(problem)
    commit(board, {BODY: 20})
    assert board.wait(60)
    value = problem.evaluate(problem.mask(board.plan))
    assert (board.answer["label"], board.answer["value"]) == ("loss", f"{value:.3f}")
    assert value > 0


def test_sorted_data_is_judged_by_samples_of_every_class(problem, metric):
    board_of(problem, samples=8)
    assert metric.asked[-1].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("given", [{"train": None, "validation": None}, {}])
def test_without_data_or_a_metric_there_is_cost_alone(given):
    problem = opened(**given)
    board = board_of(problem)
    commit(board, {STEM: 8})
    assert (board.answer["label"], board.answer["value"]) == ("Cost only", "")
    assert board.answer["note"]
    assert board.cost == board.plan.cost(problem.structure) != problem.cost


def test_the_latest_plan_counts_and_nobody_waits(problem, metric):
    board = board_of(problem)
    told = []
    board.observe(lambda change: told.append(change["new"]), "answer")
    metric.may.clear()
    metric.begun.clear()
    commit(board, {STEM: 4})
    assert metric.begun.wait(60)  # it is under way
    for gone in (5, 6, 7):
        commit(board, {STEM: gone})
    assert not board.wait(0)
    asked = len(metric.asked)
    metric.may.set()
    assert board.wait(60)
    assert len(metric.asked) == asked + 1  # the plans in between were never evaluated
    assert sum(each["fraction"] is None for each in told) == 1
    assert board.answer["value"] == f"{problem.evaluate(problem.mask(board.plan)):.3f}"


def test_a_metric_that_fails_is_told_in_a_line_and_does_not_end_it(metric, monkeypatch, tmp_path):
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path))

    def moody(outputs, targets):
        if len(metric.asked) == 1:
            metric.asked.append(targets)
            raise KeyError("no such\nthing")
        return metric(outputs, targets)

    board = board_of(opened(metric=moody))
    commit(board, {STEM: 4})
    assert board.wait(60)
    assert board.answer["failed"]
    assert board.answer["label"] == "moody is not measured"
    assert re.fullmatch(r"the evaluation failed \(KeyError: .*\); its trace is in \S+", board.answer["note"])
    commit(board, {STEM: 5})
    assert board.wait(60)
    assert not board.answer["failed"]


def test_the_way_back_is_a_new_revision_and_a_hands_own_change_is_none(problem):
    board = board_of(problem)
    commit(board, {STEM: 4})
    commit(board, {STEM: 4, BODY: 6}, locked=[STEM])
    assert board.state["revision"] == 0
    assert board.state["view"] == "left"
    assert board.state["removed"] == [4, 6]
    assert board.state["locked"] == [True, False]
    send(board, kind="undo")
    assert (board.state["revision"], board.state["removed"], board.state["view"]) == (1, [4, 0], "")
    assert board.state["ways"] == {"undo": True, "redo": True, "reset": True}
    commit(board, {BODY: 9}, revision=0)  # made before it heard of that
    assert len(board.plan.remove[STEM]) == 4
    send(board, kind="redo")
    assert board.state["removed"] == [4, 6]
    send(board, kind="reset")
    assert board.plan.empty
    assert board.state["ways"] == {"undo": True, "redo": False, "reset": False}
    board.go_to({BODY: 0.5})
    assert board.state["removed"] == [0, 12]


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "commit", "commit": {"revision": 0, "removed": {"no such group": 1}, "locked": []}},
        {"kind": "commit", "commit": {"revision": 0, "removed": {STEM: 16}, "locked": []}},
        {"kind": "commit", "commit": [1], "view": {}},
        {"kind": ["undo"]},
        {"kind": "wait"},
        {},
    ],
)
def test_what_fits_nothing_is_dropped(problem, content):
    board = board_of(problem)
    before = dict(board.state)
    send(board, **content)
    assert board.state == before


def test_it_begins_at_a_target_which_is_marked(problem):
    board = board_of(problem, keep={"macs": 0.5})
    assert board.plan == problem.plan(problem.score("l1"), keep={"macs": 0.5})
    assert board.state["target"] == {"kind": "macs", "keep": 0.5}
    assert sum(board.state["removed"]) == sum(map(len, board.plan.remove.values()))
    with pytest.raises(ExplorerError, match="unknown group"):
        board.go_to({"nothing": 0.5})


def test_what_travels_is_json(problem):
    board = board_of(problem)
    for part in (board.fixed, board.state, board.answer):
        assert json.dumps(part, allow_nan=False)


def test_without_the_package_it_says_what_to_install(problem, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "explorer.board.widget", raising=False)
    with pytest.raises(ExplorerError, match=r"pip install 'anywidget>=0\.9,<1'") as caught:
        problem.board("l1")
    assert "\n" not in str(caught.value)


def test_the_example_of_the_documentation_runs(problem):
    (example,) = [
        block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL) if ".board(" in block
    ]
    names = {"problem": problem, "ex": ex}
    exec(example.replace("reconstruct", "none"), names)
    assert names["board"].wait(60)
    assert names["smaller"].report.cut_cost == names["board"].cost
