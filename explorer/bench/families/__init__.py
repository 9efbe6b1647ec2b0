"""The networks of the coverage table, by the place they come from; none is fetched, all are random."""

import torch

from explorer.bench.families.family import Made, NotInstalledError
from explorer.bench.families.generic import settle, stir, wake
from explorer.bench.families.hugging_face import HUGGING_FACE
from explorer.bench.families.other import OTHER
from explorer.bench.families.timm_networks import TIMM
from explorer.bench.families.torchvision_networks import TORCHVISION
from explorer.errors import unknown

__all__ = ["FAMILIES", "NotInstalledError", "make", "names", "settle", "stir", "wake"]

FAMILIES = {family.name: family for family in (TORCHVISION, TIMM, HUGGING_FACE, OTHER)}


def names(family: str = "all") -> list[str]:
    """Every network of a family, or of all of them: ``FAMILY:NAME``.

    Raises:
        ExplorerError: there is no such family.
    """
    if family not in ("all", *FAMILIES):
        raise unknown("family of networks", family, ["all", *FAMILIES])
    chosen = FAMILIES.values() if family == "all" else [FAMILIES[family]]
    return [f"{family.name}:{name}" for family in chosen for name in family.builders]


def make(name: str) -> Made:
    """The untrained network in evaluation mode, and an input of two samples.

    Its weights are generic, since zeros would hide what a cut forgets.

    Raises:
        NotInstalledError: the package that it comes from is missing.
        ExplorerError: there is no such network.
    """
    family, _, short = name.partition(":")
    if family not in FAMILIES or short not in FAMILIES[family].builders:
        raise unknown("model of the table", name, names())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module, example = FAMILIES[family].builders[short]()
        stir(wake(module))
        if short in FAMILIES[family].settled:
            settle(module, example)
        return module.eval(), example
