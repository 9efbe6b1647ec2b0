"""Networks of timm: by name, with nothing but their widths and sizes to choose."""

from collections.abc import Collection
from functools import lru_cache
from types import ModuleType
from typing import Any

from torch import nn

from explorer.errors import ExplorerError, one_line, unknown
from explorer.sources.refs import network_reason

_ARGUMENTS = {"num_classes", "in_chans", "img_size"}  # others of timm's can name files


def build_timm(name: str, arguments: dict[str, Any]) -> nn.Module:
    """The untrained network.

    Raises:
        ValueError: an argument is none that is taken here.
    """
    if others := sorted(arguments.keys() - _ARGUMENTS):
        raise ValueError(f"{others[0]} is no argument that can be chosen")
    return library().create_model(name, pretrained=False, **arguments)


@lru_cache
def timm_names() -> Collection[str]:
    """Every network of the installed timm, without tags of weights."""
    return tuple(library().list_models())


def settings_of(name: str, tag: str = "") -> Any:
    """What timm knows of a network, or of one of its sets of weights: `input_size`, `mean`, `std`, `num_classes`, …

    Raises:
        ExplorerError: there is no such network, or it has no such weights.
    """
    timm = library()
    if name not in timm_names():
        raise unknown("timm model", name, timm_names())
    tags = {full.partition(".")[2] for full in timm.list_pretrained(f"{name}.*")}
    if tag and tag not in tags:
        raise unknown(f"weights of timm's {name}", tag, sorted(tags))
    found = timm.get_pretrained_cfg(f"{name}.{tag}" if tag else name)
    return found if found is not None else timm.models.PretrainedCfg()


def pretrained_timm(name: str, tag: str) -> nn.Module:
    """The network with the weights of a tag, from the hub or from its cache: safetensors, or tensors alone.

    Raises:
        ExplorerError: they can't be fetched.
    """
    try:
        return library().create_model(f"{name}.{tag}", pretrained=True).eval()
    except (OSError, RuntimeError, ValueError, LookupError) as error:
        raise ExplorerError(
            f"the weights {tag} of timm's {name} could not be downloaded ({network_reason(error)}): check the network, "
            f"or use timm:{name} without weights"
        ) from None
    except Exception as error:  # the hub's client raises classes of its own
        raise ExplorerError(f"the weights {tag} of timm's {name} can't be read: {one_line(error)}") from None


def library() -> ModuleType:
    """The package, imported only here: it takes seconds.

    Raises:
        ExplorerError: it is not installed.
    """
    try:
        import timm
    except ImportError:
        raise ExplorerError("networks of timm need the package timm: pip install timm") from None
    return timm
