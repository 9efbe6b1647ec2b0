"""What a network says to single samples."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Reply:
    """A network's answer to one sample.

    Args:
        label: the answer, as labels of the kind of task are.
        right: whether it is the sample's own label; None where answers are nearer or farther instead.
        confidence: the probability that the network gives it; None where it gives none.
        note: how near it comes, in a few words, where it is neither right nor wrong.
    """

    label: Any = field(compare=False)
    right: bool | None
    confidence: float | None = None
    note: str = ""


@torch.inference_mode()
def classes_replied(module: nn.Module, inputs: Tensor, labels: Tensor) -> list[Reply]:
    """The most likely class for each input, with its softmax probability."""
    likely, chosen = module(inputs).float().softmax(1).max(1)
    likely, chosen = likely.cpu(), chosen.cpu()
    return [
        Reply(answer, bool(answer == label), float(probability))
        for answer, label, probability in zip(chosen, labels, likely, strict=True)
    ]
