"""A network, a data set and a loss of one's own, pruned from a script: run it from top to bottom, or cell by cell.

The network reads the strokes of a handwritten digit and says two things at once, in a dictionary: which digit it is,
and how much ink it has. Nothing in it is known to Pruning Explorer.
"""

# %% The data: 1,797 real digits of scikit-learn, each with two targets.
import argparse

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import explorer as ex


class Digits(Dataset):
    """Every third picture from `first` on, with the digit and the share of ink."""

    def __init__(self, first: int) -> None:
        bunch = load_digits()
        self.pictures = torch.tensor(bunch.images, dtype=torch.float32)[first::3, None] / 16
        self.digits = torch.tensor(bunch.target)[first::3]

    def __len__(self) -> int:
        return len(self.digits)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        picture = self.pictures[index]
        return {"picture": picture, "digit": self.digits[index], "ink": picture.mean()}


# %% The network: one body, two heads, its outputs in a dictionary.
class TwoHeads(nn.Module):
    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.third = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(size) for size in (width, width, 2 * width))
        self.digit = nn.Linear(2 * width, 10)
        self.ink = nn.Linear(2 * width, 1)

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        x = F.relu(self.norms[0](self.first(picture)))
        x = x + F.relu(self.norms[1](self.second(x)))  # a residual: these two layers lose the same channels
        x = F.relu(self.norms[2](self.third(x))).mean((2, 3))
        return {"digit": self.digit(x), "ink": self.ink(x)[:, 0]}


# %% The loss and the metric: functions of what the network returns and what the data gives.
def loss(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
    return F.cross_entropy(outputs["digit"], targets["digit"]) + F.mse_loss(outputs["ink"], targets["ink"])


def accuracy(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
    return (outputs["digit"].argmax(1) == targets["digit"]).float().mean()


def trained(network: nn.Module, loader: DataLoader, epochs: int) -> nn.Module:
    """The network after some epochs of plain training: your own loop stands here."""
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3)
    for _ in range(epochs):
        for batch in loader:
            optimizer.zero_grad()
            loss(network(batch["picture"]), batch).backward()
            optimizer.step()
    return network.eval()


def main(epochs: int = 8, folder: str = "small-digits") -> ex.Smaller:
    """Trains the network, halves its computation, and saves what is left."""
    torch.manual_seed(0)
    train = DataLoader(Digits(0), batch_size=64, shuffle=True)
    network = trained(TwoHeads(), train, epochs)

    # %% One line: the network and what it is judged by.
    problem = ex.Problem(
        network,
        example={"picture": torch.zeros(1, 1, 8, 8)},
        train=train,
        validation=DataLoader(Digits(1), batch_size=64),
        test=DataLoader(Digits(2), batch_size=64),
        loss=loss,
        metric=accuracy,
    )
    for name, group in problem.structure.groups.items():
        print(f"{name}: {group.units} channels of {len(group.members)} tensors leave together")

    # %% Score every channel, share half of the computation out, and try the plan without changing anything.
    scores = problem.score("taylor")
    plan = problem.plan(scores, keep={"macs": 0.5})
    print(f"masked: accuracy {problem.evaluate(problem.mask(plan)):.3f}, whole: {problem.evaluate():.3f}")

    # %% Cut for good, repair by least squares without training, and look at the report.
    smaller = problem.cut(plan, recover="reconstruct")
    report = smaller.report
    print(f"{report.whole_cost.macs:,} -> {report.cut_cost.macs:,} MACs")
    print(f"accuracy {report.whole:.3f} -> {report.as_cut:.3f} as cut -> {report.recovered:.3f} repaired")

    # %% Take it away, and open it again: the same widths, the same numbers.
    smaller.save(folder)
    smaller.onnx(f"{folder}/model.onnx")
    again = ex.load(folder, TwoHeads())
    picture = Digits(2)[0]["picture"][None]
    torch.testing.assert_close(again(picture), smaller.module(picture))
    return smaller


# %%
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--out", default="small-digits")
    options = parser.parse_args()
    main(options.epochs, options.out)
