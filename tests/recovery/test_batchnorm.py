"""Recalibration: exact statistics, nothing else touched."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from explorer.errors import Cancelled, ExplorerError
from explorer.recovery import recalibrate
from explorer.recovery.batchnorm import even_batches

CPU = torch.device("cpu")


def images(count: int = 12) -> Tensor:
    return torch.randn(count, 2, 3, 3, generator=torch.Generator().manual_seed(1)) * 3 + 1


def data(count: int = 12) -> TensorDataset:
    return TensorDataset(images(count), torch.zeros(count).long())


def network() -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(2), nn.Dropout(0.5), nn.BatchNorm2d(2, momentum=0.3))


def test_one_batch_gives_the_statistics_of_the_data():
    module = network().eval()
    history = recalibrate(module, data(), device=CPU)
    mean = images().mean((0, 2, 3))
    torch.testing.assert_close(module[0].running_mean, mean)
    torch.testing.assert_close(module[0].running_var, images().var((0, 2, 3)))
    assert history.warnings == ()


def test_batches_weigh_the_same():
    module = nn.BatchNorm2d(2)
    recalibrate(module, data(), device=CPU, batch_size=4, seed=5)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(5))
    variances = torch.stack([images()[part].var((0, 2, 3)) for part in order.split(4)])
    torch.testing.assert_close(module.running_mean, images().mean((0, 2, 3)))
    torch.testing.assert_close(module.running_var, variances.mean(0))


def test_dropout_stays_off_and_later_layers_see_what_they_will_see():
    module = network().eval()
    recalibrate(module, data(), device=CPU)
    torch.testing.assert_close(module[2].running_mean, torch.zeros(2), atol=1e-5, rtol=0)
    # 12·9 values, normalised by the biased variance
    torch.testing.assert_close(module[2].running_var, torch.full((2,), 108 / 107), atol=1e-4, rtol=0)


def test_modes_and_momenta_come_back():
    module = network().train()
    module[1].eval()
    recalibrate(module, data(), device=CPU)
    assert [part.training for part in module.modules()] == [True, True, False, True]
    assert (module[0].momentum, module[2].momentum) == (0.1, 0.3)


def test_a_network_without_batch_norm_is_told_so():
    history = recalibrate(nn.Sequential(nn.Conv2d(2, 2, 1), nn.LayerNorm(3)), data(), device=CPU)
    assert "no batch norm" in history.warnings[0]


def test_cancelling_leaves_the_statistics_as_they_were():
    module = network()
    module[0].running_mean.fill_(7.0)

    def stop(fraction: float, message: str, **metrics: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        recalibrate(module, data(), device=CPU, report=stop)
    assert module[0].running_mean.tolist() == [7.0, 7.0]
    assert (module[0].momentum, int(module[0].num_batches_tracked)) == (0.1, 0)


def test_a_layer_that_sees_no_data_keeps_its_statistics():
    class Auxiliary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.main, self.side = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
            self.side.running_var.fill_(4.0)

        def forward(self, x: Tensor) -> Tensor:
            return self.side(self.main(x)) if self.training else self.main(x)

    module = Auxiliary()
    recalibrate(module, data(), device=CPU)
    assert module.side.running_var.tolist() == [4.0, 4.0]
    assert module.main.running_var.tolist() != [1.0, 1.0]


def test_one_image_is_too_few():
    with pytest.raises(ExplorerError, match="at least two"):
        recalibrate(network(), data(1), device=CPU)


@pytest.mark.parametrize(("count", "size", "parts"), [(9, 4, [3, 3, 3]), (8, 4, [4, 4]), (3, 2, [3]), (5, 1, [3, 2])])
def test_no_batch_is_of_one(count, size, parts):
    assert [len(part) for part in even_batches(torch.arange(count), size)] == parts
