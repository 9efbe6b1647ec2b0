"""Hugging Face models as networks of one tensor: pixels in, or token ids in, and logits out."""

import torch
from torch import Tensor, nn


class ImageModel(nn.Module):
    """A transformers image model: float pixels (batch, channel, height, width) → logits.

    Logits are (batch, classes), or (batch, classes, height / 4, width / 4) for segmentation.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        return self.model(pixel_values=pixels, return_dict=True).logits


class TextModel(nn.Module):
    """A transformers text classifier: int64 token ids (batch, length) → logits (batch, classes).

    Positions that hold the padding token are hidden from attention; a batch may be padded to any length
    that the model allows.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor) -> Tensor:
        padding = self.model.config.pad_token_id
        mask = torch.ones_like(ids) if padding is None else (ids != padding).to(ids.dtype)
        return self.model(input_ids=ids, attention_mask=mask, return_dict=True).logits
