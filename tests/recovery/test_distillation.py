"""Distillation: its loss by hand, its taps in every architecture, and nothing left behind."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset
from torchvision import models

from explorer.errors import ExplorerError
from explorer.pruning import Plan, cut
from explorer.recovery import Teacher, finetune, recover
from explorer.recovery.distillation import Imitation, least_squares, output_distance, relative_square
from explorer.structure import analyse
from explorer.structure.types import Tap
from explorer.tasks import accuracy
from tests import nets
from tests.recovery.test_finetuning import CPU, net, task, weights_of


def halved(module: nn.Module, example: Tensor) -> tuple[nn.Module, Teacher]:
    """The network without every second unit of each group, and the whole one as its teacher."""
    structure = analyse(module, example)
    plan = Plan("m", {name: tuple(range(0, group.units - 1, 2)) for name, group in structure.groups.items()})
    return cut(module, structure, plan).module, Teacher.of(module, structure)


def hooks_of(module: nn.Module) -> int:
    return sum(len(layer._forward_hooks) + len(layer._forward_pre_hooks) for layer in module.modules())


class Line(nn.Module):
    """Two layers small enough to compute by hand."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(2, width), nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.gelu(self.a(x)))


@pytest.mark.parametrize("width", [3, 2])
def test_the_loss_is_the_one_described(width):
    torch.manual_seed(0)
    teacher, student = Line(3), Line(width)
    inputs, labels = torch.randn(7, 2), torch.tensor([0, 1, 1, 0, 1, 0, 0])
    objective = Imitation(Teacher(teacher, (Tap("a.weight", "a", "gelu", -1),)), "image-classification")
    with objective.ready(student, inputs, CPU) as learnt:
        loss = objective(student, inputs, labels)

    s, t = student(inputs), teacher(inputs)
    p, q = (t / 4).softmax(1), (s / 4).softmax(1)
    outputs = 16 * (p * (p.log() - q.log())).sum(1).mean()
    mine, wanted = F.gelu(student.a(inputs)), F.gelu(teacher.a(inputs))
    assert [tuple(matrix.shape) for matrix in learnt] == ([] if width == 3 else [(3, 2)])
    fitted = mine @ learnt[0].T if learnt else mine
    features = (fitted - wanted).pow(2).mean() / wanted.pow(2).mean()
    expected = 0.5 * F.cross_entropy(s, labels) + 0.5 * outputs + 0.5 * features
    torch.testing.assert_close(loss, expected)


def test_what_is_learnt_has_gradients_and_the_teacher_none():
    teacher, student = Line(3), Line(2)
    objective = Imitation(Teacher(teacher, (Tap("a.weight", "a", "gelu", -1),)), "image-classification")
    with objective.ready(student, torch.randn(7, 2), CPU) as learnt:
        objective(student, torch.randn(5, 2), torch.tensor([0, 1, 0, 1, 1])).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in [*learnt, *student.parameters()])
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_distances_of_outputs_by_kind():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    other = torch.tensor([[0.0, 0.0], [0.0, 1.0]])
    p = torch.tensor([0.5, 0.0]).softmax(0)
    by_hand = 16 * float((p * (p.log() - torch.tensor([0.5, 0.5]).log())).sum()) / 2
    for kind in ("image-classification", "text-classification"):
        assert float(output_distance(other, logits, kind)) == pytest.approx(by_hand, rel=1e-5)
        assert float(output_distance(logits, logits, kind)) == pytest.approx(0, abs=1e-6)
    places = (torch.stack([each, each], -1)[..., None] for each in (other, logits))
    assert float(output_distance(*places, "segmentation")) == pytest.approx(by_hand, rel=1e-5)
    scores = torch.tensor([[1.0], [3.0]]), torch.tensor([[1.0], [1.0]])
    assert float(output_distance(*scores, "text-regression")) == pytest.approx(2.0)


def test_dead_features_neither_divide_by_zero_nor_spoil_the_fit():
    assert float(relative_square(torch.ones(4, 3), torch.zeros(4, 3))) == 1.0
    features, wanted = torch.randn(50, 2), torch.randn(50, 3)
    features[:, 1] = 0
    assert torch.isfinite(least_squares(features, wanted)).all()
    assert not least_squares(torch.zeros(5, 2), torch.randn(5, 3)).any()


def test_the_projection_begins_at_the_least_squares_fit():
    torch.manual_seed(0)
    features, matrix = torch.randn(2, 40, 4), torch.randn(6, 4)
    torch.testing.assert_close(least_squares(features, features @ matrix.T), matrix, atol=0.01, rtol=0.01)


NETS = {
    **{
        name: lambda net=net: (nets.alive(net), (3, 8, 8))
        for name, net in {**nets.EXACT, "normed": nets.Normed}.items()
    },
    "resnet18": lambda: (models.resnet18(num_classes=5).eval(), (3, 32, 32)),
    "mobilenet_v3_small": lambda: (models.mobilenet_v3_small(num_classes=5).eval(), (3, 32, 32)),
    "efficientnet_b0": lambda: (models.efficientnet_b0(num_classes=5).eval(), (3, 32, 32)),
}


@pytest.mark.parametrize("name", NETS)
def test_every_architecture_shows_its_own_activations(name):
    """Also those that write into their activations in place, and those without a ReLU."""
    module, shape = NETS[name]()
    student, teacher = halved(module, torch.randn(1, *shape))
    assert 1 <= len(teacher.taps) <= 3
    inputs, labels = torch.randn(4, *shape), torch.tensor([0, 1, 2, 3])
    objective = Imitation(teacher, "image-classification")
    student.train()
    before = hooks_of(module), hooks_of(student)
    with objective.ready(student, inputs, CPU) as learnt:
        assert learnt
        loss = objective(student, inputs, labels)
        loss.backward()
    assert torch.isfinite(loss)
    assert all(matrix.grad.abs().sum() > 0 for matrix in learnt)
    assert (hooks_of(module), hooks_of(student)) == before


def test_it_learns_and_leaves_the_teacher_alone():
    teacher = net().eval()
    how = {"learning_rate": 0.1, "batch_size": 16, "device": CPU}
    finetune(teacher, task(), epochs=8, **how)
    student, watched = halved(teacher, task().train[:1][0])
    before, keys = weights_of(teacher).clone(), list(student.state_dict())
    cut_only = accuracy(student, task().test, device=CPU).top1
    finetune(student, task(), epochs=8, objective=Imitation(watched, task().kind), **how)
    assert accuracy(student, task().test, device=CPU).top1 > max(0.9, cut_only)
    assert torch.equal(weights_of(teacher), before)
    assert not any(layer.training for layer in teacher.modules())
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert list(student.state_dict()) == keys
    assert hooks_of(student) == hooks_of(teacher) == 0


def test_the_same_seed_gives_the_same_weights():
    found = []
    for seed in (1, 1, 2):
        student, watched = halved(net().eval(), task().train[:1][0])
        recover("distill", student, task(), epochs=2, seed=seed, device=CPU, teacher=watched)
        found.append(weights_of(student))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


class Maps(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.bn, self.b = nn.Conv2d(1, 8, 3, padding=1, stride=2), nn.BatchNorm2d(8), nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.bn(self.a(x))))


class Scorer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.tanh(self.a(x)))


@pytest.mark.parametrize(
    ("kind", "metric", "module", "data"),
    [
        ("segmentation", "miou", Maps, TensorDataset(torch.randn(12, 1, 8, 8), torch.arange(768).view(12, 8, 8) % 3)),
        ("text-regression", "pearson", Scorer, TensorDataset(torch.randn(12, 6), torch.randn(12))),
    ],
)
def test_other_kinds_of_tasks(kind, metric, module, data):
    torch.manual_seed(0)
    student, teacher = halved(module().eval(), data[:1][0])
    parts = dict.fromkeys(("train", "calibration", "validation", "test"), data)
    facts = task(kind=kind, metric=metric, **parts)
    history = recover("distill", student, facts, epochs=2, device=CPU, teacher=teacher)
    assert history.metric == metric
    assert all(torch.tensor(epoch.loss).isfinite() for epoch in history.epochs)


def test_what_can_not_be_distilled_is_said_in_one_line():
    with pytest.raises(ExplorerError, match="needs a teacher"):
        recover("distill", net(), task(), device=CPU)
    boxes = SimpleNamespace(**(vars(task()) | {"kind": "detection"}))
    with pytest.raises(ExplorerError, match="can't serve detection"):
        recover("distill", net(), boxes, device=CPU, teacher=Teacher(net()))
