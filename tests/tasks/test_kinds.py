"""Kinds of tasks: all of them by their records, none of them by name, and room for one more."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from explorer.batches import Targets
from explorer.tasks import METRICS, TASK_KINDS, Metric, Quality, Task, evaluate, model_loss, task_kind, task_loss

ROOT = Path(__file__).parents[2]
NAMES = ("image-classification", "text-classification", "text-regression", "segmentation", "own", "detection")
LABELS = {
    "image-classification": torch.tensor([1, 0]),
    "text-classification": torch.tensor([1, 0]),
    "text-regression": torch.tensor([0.5, 1.0]),
    "segmentation": torch.zeros(2, 4, 4, dtype=torch.int64),
    "own": [Targets(size=torch.tensor(1.0))] * 2,
    "detection": [{"boxes": torch.zeros(1, 4), "labels": torch.tensor([1])}] * 2,
}


def test_kinds_and_metrics_stand_in_their_order():
    assert tuple(TASK_KINDS) == NAMES
    assert list(METRICS) == ["top1", "accuracy", "pearson", "miou", "own", "map"]


def test_what_a_kind_declares_can_be_read_without_importing_it():
    declared = TASK_KINDS.declared()
    for name, kind in TASK_KINDS.items():
        for fact in ("title", "explanation", "models", "metric", "samples", "classifies", "logits", "unrepeatable"):
            assert getattr(declared[name], fact) == getattr(kind, fact)


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_known_by_their_kind(name):
    kind = TASK_KINDS[name]
    assert [other for other in NAMES if TASK_KINDS[other].owns(LABELS[name])] == [
        other
        for other in NAMES
        if TASK_KINDS[other].classifies == kind.classifies and (kind.classifies or other == name)
    ]
    assert kind.answer(LABELS[name][0], ("no", "yes"))


def questions(path: Path) -> list[int]:
    """Lines in which something is compared with the name of a kind."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare | ast.MatchValue):
            found += [node.lineno for part in ast.walk(node) if isinstance(part, ast.Constant) and part.value in NAMES]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "startswith":
            found += [node.lineno for part in ast.walk(node.func) if getattr(part, "attr", "") == "kind"]
    return found


def test_nothing_else_asks_for_a_kind_by_name():
    files = [*ROOT.glob("explorer/**/*.py"), *ROOT.glob("pages/**/*.py"), ROOT / "app.py"]
    asked = {path: questions(path) for path in files if not path.is_relative_to(ROOT / "explorer" / "tasks")}
    assert len(asked) > 100
    assert not {path: lines for path, lines in asked.items() if lines}


@pytest.fixture
def angles():
    """A kind that nobody knows: two numbers for each picture, judged by how near they come."""

    def judge(module, data, *, device, batch_size, report):
        error = float(F.l1_loss(module(data.tensors[0]), data.tensors[1]))
        return Quality("nearness", 1 - error, None, None, len(data), error)

    task_kind(
        "angles",
        title="Angles",
        explanation="Two angles for each picture.",
        models="models that give angles",
        metric=Metric("nearness", "Nearness", "nearness", False, "One less the mean error."),
        samples="images",
        answer=lambda label, classes: " and ".join(f"{value:.1f}" for value in label.tolist()),
        draw=lambda task, index, part: np.zeros((2, 2, 3), np.uint8),
        owns=lambda labels: isinstance(labels, Tensor) and labels.dim() == 2 and labels.is_floating_point(),
        loss=F.l1_loss,
        logits=False,
        rank=5,
    )(judge)
    yield "angles"
    TASK_KINDS.remove("angles")


def test_one_more_kind_is_judged_learnt_and_shown(angles):
    data = TensorDataset(torch.ones(3, 2), torch.full((3, 2), 0.75))
    module = nn.Identity()
    task = Task("angles", "Angles", ("a", "b"), (2,), (), (), data, data, data, data, kind=angles)
    assert (task.metric, task.answer(0), task.show(0).shape) == ("nearness", "0.8 and 0.8", (2, 2, 3))
    assert evaluate(module, task.test, kind=angles, device=torch.device("cpu")).value == 0.75
    assert float(model_loss(module, *data[:])) == float(task_loss(*data[:])) == 0.25


def test_a_task_that_means_nothing_has_the_default_metric():
    data = TensorDataset(torch.zeros(1, 4), torch.zeros(1))
    noise = Task(
        "random", "Noise", ("a",), (4,), (), (), data, data, data, data, measured=False, kind="text-regression"
    )
    assert noise.metric == "top1"
