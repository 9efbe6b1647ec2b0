"""What the networks of Hugging Face share: how one is made from a small configuration."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from explorer.bench.families.family import package
from explorer.sources.networks.hub_models import EXPERTS
from explorer.structure.running import tensors_in

VOCABULARY = 100


def from_config(kind: str, **config: Any) -> nn.Module:
    """The transformers class `kind` with random weights, in evaluation mode.

    Raises:
        NotInstalledError: transformers is not there.
    """
    transformers = package("transformers")
    transformers.logging.set_verbosity_error()
    model_class = getattr(transformers, kind)
    model = model_class(model_class.config_class(**config))
    model.set_experts_implementation(EXPERTS["experts_implementation"])
    return model.eval()


class Called(nn.Module):
    """A network that is called with one tensor, whatever its own call looks like: its first output comes out.

    Args:
        call: gets the network and the tensor, and calls it.
    """

    def __init__(self, model: nn.Module, call: Callable[[nn.Module, Tensor], Any]) -> None:
        super().__init__()
        self.model = model
        self._call = call

    def forward(self, x: Tensor) -> Tensor:
        return tensors_in(self._call(self.model, x))[0]


def tokens(length: int = 12) -> Tensor:
    """Two texts, (2, length); the last token ends them."""
    ids = torch.randint(5, VOCABULARY, (2, length))
    ids[:, -1] = 1
    return ids
