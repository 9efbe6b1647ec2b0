"""What every process of `test_together` does: it fine-tunes one small network along with the others."""

import os
import sys
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.recovery import Teacher, finetune
from explorer.recovery.distillation import Imitation
from explorer.structure.types import Tap
from tests.recovery.test_finetuning import CPU, task

TAPS = (Tap("1.conv.weight", "1.conv", "relu", 1),)


class Plain(nn.Module):
    """No batch norm and no dropout, so that its gradient is a mean over samples."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv, self.fc, self.spare = nn.Conv2d(1, width, 3), nn.Linear(width, 3), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.relu(self.conv(x)).mean((2, 3)))


def trained() -> dict[str, Tensor]:
    """The weights after two epochs, with a layer that no loss reaches."""
    torch.manual_seed(0)
    module = Plain(6)
    history = finetune(module, task(), epochs=2, batch_size=16, seed=3, device=CPU)
    losses = torch.tensor([epoch.loss for epoch in history.epochs])
    return {**module.state_dict(), "losses": losses, "best": torch.tensor(history.best)}


def distilled() -> dict[str, Tensor]:
    """The weights after an epoch of distillation, in which a projection is learnt, with dropout."""
    torch.manual_seed(0)
    teacher, student = Plain(8), nn.Sequential(nn.Dropout(0.2), Plain(6))
    objective = Imitation(Teacher(nn.Sequential(nn.Identity(), teacher), TAPS), "image-classification")
    finetune(student, task(), epochs=1, batch_size=16, device=CPU, objective=objective)
    return {f"student.{name}": tensor for name, tensor in student.state_dict().items()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    safetensors.torch.save_file({**trained(), **distilled()}, Path(sys.argv[1]) / f"{os.environ['RANK']}.safetensors")
    torch.distributed.destroy_process_group()
