"""A vision transformer of transformers that is cut while its `Trainer` trains it: run it from top to bottom.

The trainer is told by a callback; everything else is as it would be without.
"""

# %% The data: 1,797 real digits of scikit-learn, as the network's arguments.
import argparse
import tempfile

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments, ViTConfig, ViTForImageClassification

import explorer as ex


class Digits(Dataset):
    """Every second picture from `first` on."""

    def __init__(self, first: int) -> None:
        bunch = load_digits()
        self.pictures = torch.tensor(bunch.images, dtype=torch.float32)[first::2, None] / 16
        self.labels = torch.tensor(bunch.target)[first::2]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"pixel_values": self.pictures[index], "labels": self.labels[index]}


def network() -> nn.Module:
    """A small one, with random weights."""
    widths = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    return ViTForImageClassification(ViTConfig(image_size=8, patch_size=2, num_channels=1, num_labels=10, **widths))


# %% Outputs are what the network returns, targets what the data has beside its arguments.
def loss(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
    return F.cross_entropy(outputs["logits"], targets["labels"])


def accuracy(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
    return (outputs["logits"].argmax(1) == targets["labels"]).float().mean()


def main(steps: int = 400, folder: str = "small-vit") -> tuple[ex.Problem, ex.Schedule]:
    """Trains down to half of the multiplications, and saves what is left."""
    torch.manual_seed(0)
    model, train = network(), Digits(0)
    example = {"pixel_values": torch.zeros(1, 1, 8, 8)}
    problem = ex.Problem(model, example=example, train=train, test=Digits(1), loss=loss, metric=accuracy, device="cpu")

    # %% `end` counts steps of the optimiser. The callback finds the optimiser, which the trainer makes, by itself.
    schedule = ex.Schedule(problem, keep={"macs": 0.5}, method="taylor", start=steps // 5, end=3 * steps // 5, every=10)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            max_steps=steps,
            per_device_train_batch_size=64,
            learning_rate=1.5e-3,
            lr_scheduler_type="cosine",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
            seed=0,
        )
        Trainer(model=model, args=arguments, train_dataset=train, callbacks=[schedule.trainer_callback()]).train()

    # %% The same model object, narrower.
    print(f"{problem.done.structure.cost().macs:,} -> {problem.cost.macs:,} MACs, accuracy {problem.evaluate():.3f}")
    problem.save(folder)
    again = ex.load(folder, network())
    torch.testing.assert_close(again(**example).logits, model.eval()(**example).logits)
    return problem, schedule


# %%
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--out", default="small-vit")
    options = parser.parse_args()
    main(options.steps, options.out)
