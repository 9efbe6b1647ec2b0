"""The metrics of other tasks than images, against worked examples and libraries."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset
from torchmetrics.functional.classification import multiclass_jaccard_index

from explorer.errors import ExplorerError
from explorer.evaluation import measure
from explorer.tasks import METRICS, evaluate, headline, task_loss
from explorer.tasks.segmentation import mean_iou
from explorer.tasks.text_regression import fisher

CPU = torch.device("cpu")


class Given(nn.Module):
    """Gives its inputs as its outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, outputs: Tensor) -> Tensor:
        return outputs + self.weight


def test_text_classes():
    predicted, labels = torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([0, 1, 1, 1, 2, 0])
    data = TensorDataset(nn.functional.one_hot(predicted, 3).float(), labels)
    found = evaluate(Given(), data, kind="text-classification", device=CPU)
    assert found.to_json()["accuracy"] == pytest.approx(4 / 6)
    # per class 2·TP / (2·TP + FP + FN): 1/2, 4/5, 2/3
    assert found.others["f1"] == pytest.approx((1 / 2 + 4 / 5 + 2 / 3) / 3)
    # (c·s − Σ p·t) / √((s² − Σ p²)(s² − Σ t²)) with c = 4, s = 6, p = (2, 2, 2), t = (2, 3, 1)
    assert found.others["mcc"] == pytest.approx((24 - 12) / ((36 - 12) * (36 - 14)) ** 0.5)
    assert "top1" not in found.to_json()


def test_scores_of_texts():
    generator = np.random.default_rng(0)
    truth = generator.normal(size=200)
    outputs = truth + generator.normal(size=200)
    data = TensorDataset(torch.tensor(outputs).float()[:, None], torch.tensor(truth).float())
    found = evaluate(Given(), data, kind="text-regression", device=CPU)
    assert found.value == pytest.approx(np.corrcoef(outputs, truth)[0, 1], abs=1e-5)
    assert found.low < found.value < found.high
    assert found.others["mse"] == pytest.approx(((outputs - truth) ** 2).mean(), rel=1e-4)


def test_constant_scores_correlate_with_nothing():
    data = TensorDataset(torch.zeros(10, 1), torch.arange(10.0))
    assert evaluate(Given(), data, kind="text-regression", device=CPU).value == 0.0


def test_fishers_interval():
    low, high = fisher(0.5, 103)  # z = 0.5493, half width 1.96 / 10
    assert (low, high) == pytest.approx((0.3393, 0.6323), abs=1e-4)
    assert fisher(0.5, 3) == (-1.0, 1.0)
    assert fisher(1.0, 50) == (1.0, 1.0)


def test_mean_iou_of_a_worked_example():
    confusion = np.array([[3, 1, 0], [0, 2, 0], [0, 0, 0]])  # the third class occurs nowhere
    assert mean_iou(confusion) == pytest.approx((3 / 4 + 2 / 3) / 2)


def test_segmentation_like_the_library_with_pixels_that_do_not_count():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(12, 4, 6, 6, generator=generator)
    labels = torch.randint(0, 4, (12, 6, 6), generator=generator)
    labels[:, :2] = 255
    found = evaluate(Given(), TensorDataset(logits, labels), kind="segmentation", device=CPU, batch_size=5)
    expected = multiclass_jaccard_index(logits.argmax(1), labels, num_classes=4, ignore_index=255)
    assert found.value == pytest.approx(float(expected), abs=1e-6)
    assert found.low < found.value < found.high
    judged = labels != 255
    assert found.others["pixel_accuracy"] == pytest.approx(float((logits.argmax(1) == labels)[judged].float().mean()))


def test_small_logits_are_enlarged_to_the_labels():
    logits = torch.zeros(2, 2, 2, 2)
    logits[:, 1] = 1.0
    data = TensorDataset(logits, torch.ones(2, 8, 8, dtype=torch.int64))
    assert evaluate(Given(), data, kind="segmentation", device=CPU).value == 1.0


@pytest.mark.parametrize(
    ("outputs", "labels"),
    [
        (torch.zeros(2, 3), torch.tensor([0, 3])),
        (torch.zeros(2, 3), torch.tensor([0.5, 1.0])),
        (torch.zeros(2, 3, 4, 4), torch.tensor([0, 1])),
        (torch.zeros(2, 3, 4, 4), torch.full((2, 4, 4), 7)),
    ],
)
def test_labels_that_fit_no_output(outputs, labels):
    with pytest.raises(ExplorerError):
        task_loss(outputs, labels)


def test_boxes_found_and_missed():
    class Finder(Given):
        def detect(self, images: Tensor) -> list[dict[str, Tensor]]:
            box = torch.tensor([[2.0, 2.0, 8.0, 8.0]])
            return [{"boxes": box, "labels": torch.tensor([1]), "scores": torch.tensor([0.9])} for _ in images]

    truth = {"boxes": torch.tensor([[2.0, 2.0, 8.0, 8.0]]), "labels": torch.tensor([1])}
    elsewhere = {"boxes": torch.tensor([[20.0, 20.0, 28.0, 28.0]]), "labels": torch.tensor([1])}
    right = evaluate(Finder(), [(torch.zeros(3, 32, 32), truth)] * 3, kind="detection", device=CPU, batch_size=2)
    assert (right.value, right.others["map_50"]) == (1.0, 1.0)
    half = [(torch.zeros(3, 32, 32), truth), (torch.zeros(3, 32, 32), elsewhere)]
    assert 0.2 < evaluate(Finder(), half, kind="detection", device=CPU).value < 0.6


def test_how_metrics_read():
    json = {"metric": "pearson", "pearson": -0.8124, "pearson_low": -0.9, "pearson_high": -0.7, "samples": 50}
    assert headline(json).text() == "−0.812 (−0.900–−0.700)"
    assert headline({"top1": 0.972, "top1_low": 0.95, "top1_high": 0.985, "samples": 9}).text() == "97.2% (95.0–98.5%)"
    assert headline({"metric": "map", "map": 0.5, "samples": 9}).text() == "50.0%"
    assert headline({"metric": "top1", "top1": None, "samples": 0}) is None
    assert METRICS["miou"].difference(-0.013) == "−1.3 points"
    assert METRICS["pearson"].difference(0.013) == "+0.013"


def test_a_measurement_of_another_task_never_says_top1():
    data = TensorDataset(torch.randn(20, 1), torch.randn(20))
    task = SimpleNamespace(test=data, measured=True, metric="pearson", kind="text-regression")
    found = measure(Given(), task, (1,), device=CPU, seconds=0.01).to_json()
    assert found["metric"] == "pearson"
    assert found["pearson_low"] <= found["pearson"] <= found["pearson_high"]
    assert not [key for key in found if key.startswith("top")]
