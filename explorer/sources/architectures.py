"""Descriptions in JSON → untrained networks: the only way in which modules come into being."""

from typing import Any

import torch
from torch import nn
from torchvision import models

from explorer.errors import ExplorerError, unknown
from explorer.sources.attention import replace_attention
from explorer.sources.refs import one_line
from explorer.sources.shuffle import replace_shuffles
from explorer.sources.windows import replace_windows
from explorer.sources.zoo import ZOO

FAMILIES = ("demo", "torchvision")


def build(architecture: dict[str, Any]) -> nn.Module:
    """The untrained network of a description ``{"family": …, "name": …, "arguments": {…}}``, in eval mode.

    Deterministic: random weights come from seed 0, and the caller's random state is left alone. Attention of
    torchvision's transformers is replaced by `SelfAttention`, which has the same weights and can be cut.

    Raises:
        ExplorerError: the description is malformed, or names a network that does not exist.
    """
    try:
        family, name, arguments = (architecture[key] for key in ("family", "name", "arguments"))
    except (KeyError, TypeError):
        raise ExplorerError("the architecture is damaged: it needs family, name and arguments") from None
    if family not in FAMILIES:
        raise unknown("family of networks", str(family), FAMILIES)
    names = ZOO if family == "demo" else torchvision_names()
    if name not in names:
        raise unknown(f"{family} model", str(name), names)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            module = ZOO[name](**arguments) if family == "demo" else models.get_model(name, weights=None, **arguments)
        except (TypeError, ValueError, AssertionError, RuntimeError) as error:
            raise ExplorerError(f"{name} can't be built with {arguments}: {one_line(error)}") from None
    return cuttable(module).eval()


def cuttable(module: nn.Module) -> nn.Module:
    """The same network with modules that can be cut in place of some that can't; in place, results stay."""
    return replace_shuffles(replace_windows(replace_attention(module)))


def torchvision_names() -> list[str]:
    """Every classification model of torchvision."""
    return models.list_models(module=models)
