"""The public interface: any module, any loader, your own loss and metric, in a script or a notebook.

``import explorer as ex`` gives what stands here. A `Problem` is a network with what it is judged by; it is scored, planned,
masked and cut, and what comes out is a `Smaller`, the cut network with its report.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map
from torch.utils.data import Dataset, Subset

from explorer.budget import Curves, Meter, Target, allocate
from explorer.criteria import Scores, score
from explorer.device import choose_device
from explorer.errors import ExplorerError
from explorer.evaluation import METADATA, weights
from explorer.evaluation.size import size_model
from explorer.export.layout import REPORT, replacing
from explorer.files import write_json
from explorer.progress import Report, part, silent
from explorer.pruning import Plan, cut, mask, plan_from_budget
from explorer.recovery import Origin, recover
from explorer.sources import LoadedModel, build, load_pair
from explorer.sources.json_files import read_json
from explorer.sources.networks.state_dicts import read_tensors
from explorer.sources.own import Own, OwnData, Ports, adapted, plain
from explorer.structure import Cost, Structure, adapt, analyse, count
from explorer.tasks import Task, evaluate

OWN = "own"  # the kind of task whose loss and metric are a person's functions
VALIDATION_EVERY = 10  # training samples: one of so many validates, where no validation data is given


@dataclass(frozen=True)
class Change:
    """What a cut did to a network.

    Args:
        cost: of the whole network and of the cut one.
        metric: the name of the metric.
        whole: its value for the whole network; None where there is nothing to judge by.
        as_cut: right after the cut.
        recovered: after the recovery.
        recovery: what gave accuracy back.
        judged_on: "test" or, where there is no test data, "validation".
        samples: how many it was judged on.
        warnings: sentences for a person.
    """

    cost: tuple[Cost, Cost]
    metric: str
    whole: float | None
    as_cut: float | None
    recovered: float | None
    recovery: str
    judged_on: str | None
    samples: int
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        before, after = self.cost
        return {**asdict(self), "cost": {"whole": asdict(before), "cut": asdict(after)}, "warnings": list(self.warnings)}


class Problem:
    """A network, and what it is judged by.

    Args:
        module: any network of torch; it is never written to.
        example: what it is called with, a batch of at least one: a tensor, a tuple of tensors (positional arguments), or
            a dictionary of them (keyword arguments).
        train: what the network learns from, for criteria and recoveries: a loader, a data set of samples, or any
            iterable of batches. A batch is a pair (inputs, targets), or a dictionary whose entries under the example's
            names are the inputs.
        validation: what choices are judged by; by default every tenth training sample, which is not trained on then.
        test: what results are reported on; by default the validation data.
        loss: of (outputs, targets), the mean over a batch; outputs and targets in the form in which the network and the
            data give them.
        metric: of (outputs, targets) over all samples at once, one number; "top1" is the share of samples whose largest
            output is the target. By default the loss.
        maximise: whether more of the metric is better.
        device: "auto", or what torch calls it.

    Raises:
        ExplorerError: the example is no such thing, or the metric is unknown.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        example: Any,
        train: Any = None,
        validation: Any = None,
        test: Any = None,
        loss: Callable[[Any, Any], Tensor] | None = None,
        metric: Callable[[Any, Any], Any] | str | None = None,
        maximise: bool = True,
        device: str = "auto",
    ) -> None:
        self.module = module
        self._device = choose_device(device)
        ports = Ports.of(example)
        own = Own(ports, loss, _metric(metric), maximise)
        self._face = adapted(module, own)
        self._example = ports.pack(tree_map(lambda leaf: leaf[:1].detach().cpu(), example))
        self._task = _task(own, ports, train, validation, test) if own.judged and train is not None else None
        self._loaded: LoadedModel | None = None

    @cached_property
    def structure(self) -> Structure:
        """The coupled groups, what can't be cut and why, and the cost polynomials; see `explorer.structure.analyse`."""
        return analyse(self._face, self._example)

    @property
    def cost(self) -> Cost:
        """Parameters, and multiply-accumulates of one forward pass on one input."""
        return self.structure.cost()
