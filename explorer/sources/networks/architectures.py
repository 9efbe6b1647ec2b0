"""Descriptions in JSON → untrained networks: the only way in which modules come into being."""

import copy
import keyword
from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import nn
from torchvision import models

from explorer.errors import ExplorerError, one_line, unknown
from explorer.sources.networks.attention import replace_attention
from explorer.sources.networks.bounded import bounded
from explorer.sources.networks.detectors import ONE_STAGE, TWO_STAGE, wrapper_of
from explorer.sources.networks.hub_models import HEADS, build_from_config
from explorer.sources.networks.segmenters import MainOutput
from explorer.sources.networks.shuffle import replace_shuffles
from explorer.sources.networks.stems import with_stem
from explorer.sources.networks.timm_networks import build_timm, timm_names
from explorer.sources.networks.windows import replace_windows
from explorer.sources.networks.zoo import ZOO
from explorer.sources.own_networks import FAMILY, rebuilt

# Arguments that only make single layers wider; timm's size of pictures shows when its table of positions is made.
_WIDTHS = {"classes", "channels", "num_classes", "stem", "in_chans", "img_size"}
_OUTPUTS = {"demo": "classes", "torchvision": "num_classes", "timm": "num_classes"}  # the argument of their number
FAMILIES = ("demo", "torchvision", "huggingface", "timm", "python")


def build(architecture: dict[str, Any], seed: int = 0) -> nn.Module:
    """The untrained network of a description ``{"family": …, "name": …, "arguments": {…}}``, in eval mode.

    Deterministic: random weights come from `seed`, and the caller's random state is left alone. Modules of torchvision
    that can't be cut are replaced by ones with the same weights that can: see `cuttable`.

    Raises:
        ExplorerError: the description is malformed, or names a network that does not exist.
    """
    try:
        family, name, arguments = (architecture[key] for key in ("family", "name", "arguments"))
    except (KeyError, TypeError):
        raise ExplorerError("the architecture is damaged: it needs family, name and arguments") from None
    if not isinstance(name, str) or not isinstance(arguments, dict) or not all(map(_is_name, arguments)):
        raise ExplorerError("the architecture is damaged: its name should be a text and its arguments be named")
    if family not in FAMILIES:
        raise unknown("family of networks", str(family), FAMILIES)
    if family in _NAMES and name not in (names := _NAMES[family]()):
        raise unknown(f"{family} model", str(name), names)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            if family != FAMILY and arguments.keys() - _WIDTHS:  # its size does not show before its tensors have values
                with bounded(f"the network {name}"), torch.device("meta"):
                    _MAKERS[family](name, copy.deepcopy(arguments))
            with bounded(f"the network {name}"):
                module = _MAKERS[family](name, copy.deepcopy(arguments))
        except ExplorerError:
            raise
        except Exception as error:  # what is wrong with arguments shows anywhere in what is built of them
            raise ExplorerError(f"{name} can't be built with {_short(arguments)}: {one_line(error)}") from None
    return module.eval()


def _is_name(key: object) -> bool:
    """Whether it can be the name of an argument: `load.py` writes it as one."""
    return isinstance(key, str) and key.isidentifier() and not keyword.iskeyword(key)


def _short(arguments: dict[str, Any]) -> str:
    text = str(arguments)
    return text if len(text) <= 200 else f"{text[:197]}…"


def _torchvision(name: str, arguments: dict[str, Any]) -> nn.Module:
    if name in segmenter_names():
        return cuttable(MainOutput(models.get_model(name, weights=None, weights_backbone=None, **arguments)))
    if name in detector_names():
        return cuttable(wrapper_of(name)(models.get_model(name, weights=None, weights_backbone=None, **arguments)))
    stem = arguments.pop("stem", None)
    module = cuttable(models.get_model(name, weights=None, **arguments))
    return module if stem is None else with_stem(module, **stem)


_MAKERS: dict[str, Callable[[str, dict[str, Any]], nn.Module]] = {
    "demo": lambda name, arguments: ZOO[name](**arguments),
    "torchvision": _torchvision,
    "huggingface": build_from_config,
    "timm": build_timm,
    FAMILY: lambda name, arguments: rebuilt(name, arguments).module,
}
_NAMES: dict[str, Callable[[], Collection[str]]] = {
    "demo": lambda: ZOO,
    "torchvision": lambda: every_torchvision_name(),
    "huggingface": lambda: HEADS,
    "timm": timm_names,
}


def with_outputs(architecture: dict[str, Any], outputs: int) -> dict[str, Any]:
    """The description of the same network with another number of outputs; of a person's own code it stays as it is."""
    arguments = copy.deepcopy(architecture["arguments"])
    if option := _OUTPUTS.get(architecture["family"]):
        arguments[option] = outputs
    elif architecture["family"] == "huggingface":
        config = arguments["config"]
        labels = {index: f"LABEL_{index}" for index in range(outputs)}
        config["id2label"], config["label2id"] = labels, {name: index for index, name in labels.items()}
    return {**architecture, "arguments": arguments}


def cuttable(module: nn.Module) -> nn.Module:
    """A network of torchvision with modules that can be cut in place of some that can't; in place, results stay.

    Networks from elsewhere stay as they are, wherever they come from: theirs are called in ways that these don't know.
    """
    return replace_shuffles(replace_windows(replace_attention(module)))


def torchvision_names() -> list[str]:
    """Every classification model of torchvision."""
    return models.list_models(module=models)


def segmenter_names() -> list[str]:
    """Every semantic segmentation model of torchvision."""
    return models.list_models(module=models.segmentation)


def detector_names() -> list[str]:
    """The object detectors of torchvision that can be followed: neither masks nor keypoints."""
    return sorted({*ONE_STAGE, *TWO_STAGE})


def every_torchvision_name() -> list[str]:
    return [*torchvision_names(), *segmenter_names(), *detector_names()]


def torchvision_kind(name: str) -> str:
    """The kind of task that a model of torchvision is made for, a key of `TASK_KINDS`."""
    if name in detector_names():
        return "detection"
    return "segmentation" if name in segmenter_names() else "image-classification"
