"""No recovery: what the cut alone leaves, which every recovery is compared with."""

from torch import nn

from explorer.recovery.registry import History, recovery
from explorer.recovery.work import Work


@recovery(
    "none",
    title="None",
    explanation="Leaves the network as the cut made it: the honest starting point.",
    cost="nothing",
    rank=5,
)
def nothing(module: nn.Module, work: Work) -> History:
    return History("none", seconds=0.0)
