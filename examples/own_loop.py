"""A network that is cut while your own loop trains it, with an average of its weights: run it from top to bottom.

The loop is plain PyTorch. Two lines are new: the schedule is made before it, and told of every step inside.
"""

# %% The data: 1,797 real digits of scikit-learn.
import argparse
import copy

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, TensorDataset

import explorer as ex


def digits(first: int) -> TensorDataset:
    """Every second picture from `first` on, (n, 1, 8, 8), and which digit it is."""
    bunch = load_digits()
    pictures = torch.tensor(bunch.images, dtype=torch.float32)[first::2, None] / 16
    return TensorDataset(pictures, torch.tensor(bunch.target)[first::2])


# %% The network: a residual body, so that layers share their channels.
class Residual(nn.Module):
    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.third = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(size) for size in (width, width, 2 * width))
        self.head = nn.Linear(2 * width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norms[0](self.first(x)))
        x = x + F.relu(self.norms[1](self.second(x)))
        return self.head(F.relu(self.norms[2](self.third(x))).mean((2, 3)))


def main(method: str = "taylor", epochs: int = 12, folder: str = "small-digits") -> tuple[ex.Problem, ex.Schedule]:
    """Trains from random weights down to 40 % of the multiplications, and saves what is left."""
    torch.manual_seed(0)
    network = Residual()
    train = DataLoader(digits(0), batch_size=64, shuffle=True)  # 15 steps an epoch
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(train))
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.95), use_buffers=True)

    # %% What is cut, and when: nothing in the first tenth, all of it by two thirds, a little at every tenth step.
    problem = ex.Problem(
        network, example=torch.zeros(1, 1, 8, 8), train=train, test=digits(1), loss=F.cross_entropy, metric="top1"
    )
    steps = epochs * len(train)
    schedule = ex.Schedule(
        problem,
        keep={"macs": 0.4},
        method=method,
        start=steps // 10,
        end=2 * steps // 3,
        every=10,
        optimizer=optimizer,
        ema=average,
    )
    print(schedule.scoring)

    # %% Your own loop. `network`, its parameters and the optimiser stay the same objects all the way.
    for _ in range(epochs):
        network.train()
        for pictures, targets in train:
            optimizer.zero_grad()
            F.cross_entropy(network(pictures), targets).backward()
            optimizer.step()
            rates.step()
            average.update_parameters(network)
            if cut := schedule.step():
                print(f"step {cut.call}: {cut.cost.macs:,} MACs are left, accuracy {problem.evaluate():.3f}")

    # %% What came of it, and away with it: the same file that `problem.cut(...).save` writes.
    print(f"accuracy {problem.evaluate():.3f}, of the average {problem.evaluate(copy.deepcopy(average.module)):.3f}")
    problem.save(folder)
    again = ex.load(folder, Residual())
    picture = torch.rand(1, 1, 8, 8)
    torch.testing.assert_close(again(picture), network.eval()(picture))
    return problem, schedule


# %%
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", default="taylor")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--out", default="small-digits")
    options = parser.parse_args()
    main(options.method, options.epochs, options.out)
