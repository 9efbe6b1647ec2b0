"""torchvision's segmentation networks as networks of one tensor."""

from torch import Tensor, nn


class MainOutput(nn.Module):
    """Float pixels (batch, 3, H, W) → logits (batch, classes, H, W): the main output of a segmentation network."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        return self.model(pixels)["out"]
