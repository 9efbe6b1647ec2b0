"""ShuffleNet blocks that survive cutting: which channels go where is written down instead of counted.

torchvision's block splits its input into equal halves and shuffles its output by a view, which ties channels
that have nothing to do with each other. This file stands alone: an exported bundle carries a copy of it.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.shufflenetv2 import InvertedResidual


class CuttableShuffle(InvertedResidual):
    """A block with the weights and the result of torchvision's (Ma et al. 2018, figure 3 c and d).

    `left` and `right` hold the input channels that pass and those that are transformed (stride 1 only),
    `order` the order of the output's channels.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            passing, x = x.index_select(1, self.left), x.index_select(1, self.right)
        else:
            passing = self.branch1(x)
        return torch.cat([passing, self.branch2(x)], 1).index_select(1, self.order)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for name, places in self.named_buffers(recurse=False):  # torchvision's weights come without
            state_dict.setdefault(prefix + name, places)
        super()._load_from_state_dict(state_dict, prefix, *args)


def replace_shuffles(module: nn.Module) -> nn.Module:
    """Lets every ShuffleNet block of torchvision inside `module` be cut, in place; weights and results stay."""
    for layer in module.modules():
        if type(layer) is InvertedResidual:
            half = layer.branch2[-3].out_channels
            if layer.stride == 1:
                layer.register_buffer("left", torch.arange(half))
                layer.register_buffer("right", torch.arange(half, 2 * half))
            layer.register_buffer("order", torch.arange(2 * half).view(2, half).t().reshape(-1))
            layer.__class__ = CuttableShuffle
    return module
