"""Attention in windows that survives cutting: torchvision's Swin and MaxViT with heads read off their weights.

torchvision derives a head's width from the width of the stream, so its modules break when heads leave, or when
the stream gets narrower. These take the same weights, give the same results, and keep a fixed `head_dim`.
This file stands alone: an exported bundle carries a copy of it.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.maxvit import RelativePositionalMultiHeadAttention
from torchvision.models.swin_transformer import ShiftedWindowAttention, ShiftedWindowAttentionV2


class CuttableWindows(ShiftedWindowAttention):
    """Swin's attention in shifted windows: (batch, height, width, channel) → the same (Liu et al. 2021, 3.2)."""

    head_dim: int
    scale: float  # stays when the head gets narrower

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[1:3]
        x = F.pad(x, (0, 0, 0, -width % self.window_size[1], 0, -height % self.window_size[0]))
        grid = [side // window for side, window in zip(x.shape[1:3], self.window_size, strict=True)]
        shift = [s if n > 1 else 0 for s, n in zip(self.shift_size, grid, strict=True)]
        x = x.roll([-s for s in shift], (1, 2))
        x = x.unflatten(2, (grid[1], -1)).unflatten(1, (grid[0], -1)).transpose(2, 3)
        batch, (rows, columns) = x.shape[0], self.window_size
        y = self._attend(x.flatten(3, 4).flatten(0, 2), self._borders(grid, shift, x))
        y = self.proj(y)
        y = F.dropout(y, self.dropout, self.training)
        y = y.view(batch, *grid, rows, columns, -1).transpose(2, 3).flatten(3, 4).flatten(1, 2)
        return y.roll(shift, (1, 2))[:, :height, :width].contiguous()

    def _attend(self, x: Tensor, borders: Tensor | None) -> Tensor:
        """Self-attention of windows (windows, tokens, channel), with the position bias and the windows' borders."""
        q, k, v = self._projected(x).unflatten(-1, (3, -1, self.head_dim)).permute(2, 0, 3, 1, 4)
        scores = self._scores(q, k) + self.get_relative_position_bias()
        if borders is not None:
            scores = (scores.unflatten(0, (-1, len(borders))) + borders[:, None]).flatten(0, 1)
        scores = F.dropout(scores.softmax(-1), self.attention_dropout, self.training)
        return (scores @ v).transpose(1, 2).flatten(2)

    def _projected(self, x: Tensor) -> Tensor:
        return self.qkv(x)

    def _scores(self, q: Tensor, k: Tensor) -> Tensor:
        return q * self.scale @ k.transpose(-2, -1)

    def _borders(self, grid: list[int], shift: list[int], x: Tensor) -> Tensor | None:
        """−100 between tokens that only the cyclic shift made neighbours: (windows, tokens, tokens)."""
        if not any(shift):
            return None
        sides = []
        for windows, window, s in zip(grid, self.window_size, shift, strict=True):
            place = torch.arange(windows * window, device=x.device)
            last = windows * window
            sides.append((place >= last - window).long() + (place >= last - s).long() * (1 if s else 0))
        region = sides[0][:, None] * 3 + sides[1]
        region = region.unflatten(1, (grid[1], -1)).unflatten(0, (grid[0], -1)).transpose(1, 2).flatten(2).flatten(0, 1)
        return (region[:, None] != region[:, :, None]).to(x.dtype) * -100.0


class CuttableWindowsV2(CuttableWindows, ShiftedWindowAttentionV2):
    """Swin V2's: cosine scores, a logit scale per head, position biases from a small network (Liu et al. 2022)."""

    def _projected(self, x: Tensor) -> Tensor:
        bias = self.qkv.bias
        if bias is not None:  # keys have none
            bias = bias.clone()
            third = bias.numel() // 3
            bias[third : 2 * third].zero_()
        return F.linear(x, self.qkv.weight, bias)

    def _scores(self, q: Tensor, k: Tensor) -> Tensor:
        cosine = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        return cosine * self.logit_scale.clamp(max=math.log(100.0)).exp()

    def get_relative_position_bias(self) -> Tensor:
        """(1, heads, tokens, tokens)."""
        table = self.cpb_mlp(self.relative_coords_table).flatten(0, 2)
        tokens = self.window_size[0] * self.window_size[1]
        bias = table[self.relative_position_index].view(tokens, tokens, -1).permute(2, 0, 1).unsqueeze(0)
        return 16 * torch.sigmoid(bias)


class CuttablePartitions(RelativePositionalMultiHeadAttention):
    """MaxViT's attention inside partitions: (batch, partition, token, channel) → the same (Tu et al. 2022)."""

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part.unflatten(-1, (-1, self.head_dim)).transpose(2, 3) for part in self.to_qkv(x).chunk(3, -1))
        scores = q @ (k * self.scale_factor).transpose(-2, -1) + self.get_relative_positional_bias()
        return self.merge((scores.softmax(-1) @ v).transpose(2, 3).flatten(3))


_CUTTABLE = {
    ShiftedWindowAttention: CuttableWindows,
    ShiftedWindowAttentionV2: CuttableWindowsV2,
    RelativePositionalMultiHeadAttention: CuttablePartitions,
}


def replace_windows(module: nn.Module) -> nn.Module:
    """Lets every window attention of torchvision inside `module` be cut, in place; weights and results stay."""
    for layer in module.modules():
        if type(layer) in _CUTTABLE:
            if isinstance(layer, ShiftedWindowAttention):
                layer.head_dim = layer.qkv.in_features // layer.num_heads
                layer.scale = layer.head_dim**-0.5
            layer.__class__ = _CUTTABLE[type(layer)]
    return module
