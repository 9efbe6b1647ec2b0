"""Accuracies and intervals with worked numbers."""

import pytest
import torch
from scipy.stats import binomtest
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from explorer.errors import Cancelled, ExplorerError
from explorer.tasks import accuracy, evaluate, wilson

CPU = torch.device("cpu")


class Given(nn.Module):
    """The input as logits; fails on batches that are too large, as a full device does."""

    def __init__(self, room: int = 1000) -> None:
        super().__init__()
        self.room, self.seen = room, []
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > self.room:
            raise torch.OutOfMemoryError("full")
        self.seen.append(len(x))
        return self.dropout(x.flatten(1))


def case(classes: int = 6) -> TensorDataset:
    """Eight samples: six right, one second, one last of six."""
    labels = torch.tensor([0, 1, 2, 3, 4, 5, 0, 1])
    logits = 5.0 * nn.functional.one_hot(labels, classes)
    logits[6] = torch.tensor([4.0, 5, 3, 2, 1, 0])
    logits[7] = torch.tensor([5.0, 0, 4, 3, 2, 1])
    return TensorDataset(logits.reshape(8, classes, 1, 1), labels)


def test_top1_top5_and_class_counts():
    found = accuracy(Given(), case(), device=CPU, batch_size=3)
    assert (found.top1, found.top5, found.samples) == (6 / 8, 7 / 8, 8)
    assert found.predictions.tolist() == [0, 1, 2, 3, 4, 5, 1, 0]
    assert found.class_correct.tolist() == [1, 1, 1, 1, 1, 1]
    assert found.class_samples.tolist() == [2, 2, 1, 1, 1, 1]


def test_no_top5_below_five_classes():
    data = TensorDataset(torch.eye(4).reshape(4, 4, 1, 1), torch.arange(4))
    assert accuracy(Given(), data, device=CPU).top5 is None


def test_wilson_interval_against_published_values():
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_wilson_interval_against_scipy():
    for correct, samples in ((0, 20), (1, 29), (81, 263), (263, 263)):
        expected = binomtest(correct, samples).proportion_ci(method="wilson")
        assert wilson(correct, samples) == pytest.approx(tuple(expected), abs=1e-12)


def test_the_interval_is_symmetric_and_never_leaves_the_unit():
    for correct in range(11):
        low, high = wilson(correct, 10)
        assert 0 <= low <= correct / 10 <= high <= 1
        assert wilson(10 - correct, 10) == pytest.approx((1 - high, 1 - low))


def test_batches_halve_until_they_fit_and_it_is_said(caplog):
    module = Given(room=2)
    found = accuracy(module, case(), device=CPU, batch_size=8)
    assert found.top1 == 6 / 8
    assert module.seen == [2, 2, 2, 2]
    assert caplog.messages == [
        "out of memory: going on with batches of 4",
        "out of memory: going on with batches of 2",
    ]


def test_a_single_sample_that_does_not_fit_is_a_users_error():
    with pytest.raises(ExplorerError, match="too little memory"):
        accuracy(Given(room=0), case(), device=CPU)


def test_modes_come_back_as_they_were():
    module = Given().train()
    module.dropout.eval()
    accuracy(module, case(), device=CPU)
    assert (module.training, module.dropout.training) == (True, False)


def test_labels_without_an_output_are_refused():
    with pytest.raises(ExplorerError, match=r"class 5 but the model only 3 outputs"):
        accuracy(Given(), TensorDataset(torch.zeros(1, 3, 1, 1), torch.tensor([5])), device=CPU)


def test_no_data_is_refused():
    with pytest.raises(ExplorerError, match="no samples"):
        accuracy(Given(), TensorDataset(torch.zeros(0, 3, 1, 1), torch.zeros(0).long()), device=CPU)


def test_cancel_arrives_after_one_batch():
    module = Given()

    def stop(fraction: float, message: str, **metrics: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        accuracy(module, case(), device=CPU, batch_size=2, report=stop)
    assert module.seen == [2]


def test_any_indexable_dataset_will_do():
    class Lazy(Dataset):
        def __len__(self) -> int:
            return 8

        def __getitem__(self, index: int) -> tuple[Tensor, int]:
            image, label = case()[index]
            return image, int(label)

    assert accuracy(Given(), Lazy(), device=CPU, batch_size=3).top1 == 6 / 8


def test_balanced_accuracy_counts_every_class_alike():
    """Of four samples of one class three are right, of one of another none, and a third class does not occur."""
    logits = torch.tensor([[1.0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0]])
    data = TensorDataset(logits, torch.tensor([0, 0, 0, 0, 1]))
    found = evaluate(nn.Identity(), data, device=CPU)
    assert (found.top1, found.others["balanced_accuracy"]) == (3 / 5, 3 / 8)
    assert found.to_json()["balanced_accuracy"] == 3 / 8
