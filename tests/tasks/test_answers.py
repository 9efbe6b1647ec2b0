"""Samples with a network's answers, of every kind of task."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from explorer.errors import ExplorerError
from explorer.sources import load_pair, load_task
from explorer.tasks import TASK_KINDS, answered, answered_classes, spread_places, why_unanswered
from explorer.tasks.detection import framed
from explorer.tasks.segmentation import coloured
from tests.hugging import text_folder

CPU = torch.device("cpu")


class Fixed(nn.Module):
    """A network that always gives the same outputs."""

    def __init__(self, outputs):
        super().__init__()
        self.outputs = nn.Parameter(outputs)

    def forward(self, inputs):
        return self.outputs.expand(len(inputs), *self.outputs.shape[1:])


def test_classes_are_right_or_wrong_with_their_probability():
    task = load_task("digits")
    always_three = Fixed(torch.eye(10)[3:4] * 3)
    found = answered(always_three, task, spread_places(task, 10), device=CPU)
    assert [each.label for each in found] == [str(digit) for digit in range(10)]
    assert {each.answer for each in found} == {"3"}
    assert [each.right for each in found] == [digit == 3 for digit in range(10)]
    assert found[0].confidence == pytest.approx(float(np.exp(3) / (np.exp(3) + 9)))
    assert found[0].shown.shape == (32, 32, 3)


def test_areas_are_drawn_and_counted():
    task = load_task("masks?n=200", input_shape=(3, 32, 32))
    areas = torch.zeros(1, len(task.classes), 32, 32)
    areas[:, 2] = 1
    (found,) = answered(Fixed(areas), task, [0], device=CPU)
    right = 100 * (task.test[0][1] == 2).float().mean().item()
    assert (found.answer, found.right, found.note) == (task.classes[2], None, f"{right:.0f}% of pixels right")
    assert not np.array_equal(found.shown, task.show(0))
    picture = np.full((2, 2, 3), 100, np.uint8)
    marked = coloured(picture, torch.tensor([[0, 1], [1, 255]]))
    assert marked[0, 0].tolist() == [100] * 3
    assert marked[0, 1].tolist() == marked[1, 0].tolist() != [100] * 3


def test_boxes_are_drawn_and_counted():
    class Finding(nn.Module):
        def detect(self, inputs):
            boxes = torch.tensor([[2.0, 2, 9, 9], [0, 0, 5, 5]])
            found = {"boxes": boxes, "labels": torch.tensor([1, 2]), "scores": torch.tensor([0.9, 0.1])}
            return [found] * len(inputs)

    task = load_task("boxes?n=200", input_shape=(3, 32, 32))
    (found,) = answered(Finding(), task, [0], device=CPU)
    assert (found.answer, found.right) == (task.classes[1], None)
    assert found.note == f"finds 1, there are {len(task.test[0][1]['labels'])}"
    empty = np.zeros((8, 8, 3), np.uint8)
    marked = framed(empty, {"boxes": torch.tensor([[6.0, 6, 1, 1]]), "labels": torch.tensor([1])})
    assert marked[1, 3].any()
    assert not marked[3, 3].any()


def test_scores_say_how_near_they_come(tmp_path):
    model, task = load_pair(f"hf:{text_folder(tmp_path, num_labels=1)}", "ratings")
    (found,) = answered(model.module, task, [0], device=CPU)
    assert found.right is None
    assert found.note.startswith("off by ")
    assert abs(float(found.note[7:]) - abs(float(found.answer) - float(found.label))) < 0.02
    assert found.shown == task.show(0)


def test_answers_that_are_known_already_are_compared():
    task = load_task("digits")
    truth = [int(task.validation[place][1]) for place in range(3)]
    other = (truth[1] + 1) % 10
    found = answered_classes(task, range(3), [truth[0], other, truth[2]], before=[truth[0], truth[1], other])
    assert [each.right for each in found] == [True, False, True]
    assert [each.before for each in found] == ["", str(truth[1]), str(other)]
    assert {each.confidence for each in found} == {None}


def test_what_has_no_answers_says_why():
    task = load_task("random", input_shape=(3, 8, 8), classes=2)
    assert "no meaningful labels" in why_unanswered(task)
    with pytest.raises(ExplorerError, match="no meaningful labels"):
        answered(nn.Identity(), task, [0], device=CPU)
    own = next(kind for kind in TASK_KINDS.values() if kind.reply is None)
    assert "only your code knows" in why_unanswered(replace(task, measured=True, kind=own.name))


def test_samples_are_of_each_class_in_turn():
    task = load_task("digits")
    labels = [int(task.test[place][1]) for place in spread_places(task, 15)]
    assert labels == [*range(10), *range(5)]
    masks = load_task("masks?n=200")
    places = spread_places(masks, 4)
    assert len(set(places)) == 4
    assert spread_places(masks, 10**6) == list(range(len(masks.test)))
