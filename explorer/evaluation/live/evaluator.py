"""Accuracy of one plan after another on a slice of data that stays on the device."""

import copy
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from explorer.batches import Samples, fetch
from explorer.errors import ExplorerError
from explorer.evaluation.live.resident import Resident
from explorer.progress import Report, silent
from explorer.pruning import Plan, cut, exact, mask
from explorer.structure import Structure
from explorer.tasks import DEFAULT_KIND, TASK_KINDS, Accuracy, Quality, evaluate
from explorer.tasks.tools.accuracy import NO_SAMPLES

MEMORY = 256 * 2**20
RECENT = 8  # answers that are remembered
FEWEST_BATCHES = 8  # the first evaluation computes one of them twice
PAUSE = 0.05  # seconds between reports within a batch


@dataclass(frozen=True)
class Answer:
    """What a model under a plan reaches.

    `answers` has the predicted class of every sample, None where the task has none. `by` is "mask", or "cut" where a
    mask would not give the cut's outputs. `reused` is the fraction of operations that did not have to be done:
    multiply-accumulates of contractions, and one for every entry that another operator makes.
    """

    quality: Accuracy | Quality
    answers: np.ndarray | None = field(repr=False, compare=False)
    reused: float
    by: str


class Live:
    """Evaluates plans for one model on one slice of data, one at a time, whichever thread asks.

    Batches keep intermediate results of the last plan, and the next one begins at the latest of them that lies before
    the first call whose weights differ: what a drag does not change is not computed again. `refused` says in a
    sentence why that can't be done for a model, which is then evaluated in the plain way; empty while it can.

    Args:
        data: (input, label) pairs; read once, and kept on the device.
        kind: of the task, a key of `TASK_KINDS`.
        batch_size: at most.
        batches: at least so many where there are as many samples. A few large ones are done sooner than many small ones
            while other threads want the interpreter, for which each operator has to wait.
        memory: bytes on the device for intermediate results, beside weights and data.

    Raises:
        ExplorerError: there is no data.
    """

    def __init__(
        self,
        module: nn.Module,
        structure: Structure,
        data: Samples,
        *,
        kind: str = DEFAULT_KIND,
        device: torch.device,
        batch_size: int = 64,
        batches: int = FEWEST_BATCHES,
        memory: int = MEMORY,
    ) -> None:
        if len(data) == 0:
            raise ExplorerError(NO_SAMPLES)
        self._structure, self._kind, self._device = structure, TASK_KINDS[kind], device
        home = torch.empty(0, device=device).device
        here = all(tensor.device == home for tensor in module.state_dict().values())
        self._module = mask(module, structure, Plan("")) if here else copy.deepcopy(module).to(device)
        self._module.eval()
        self.batch_size = max(1, min(batch_size, len(data) // batches))
        self._resident: Resident | None = None
        if self._kind.unrepeatable:
            self._data: Samples = [data[index] for index in range(len(data))]
        else:
            inputs, labels = fetch(data, torch.arange(len(data)))
            self._data = TensorDataset(inputs.to(device), labels)
            self._resident = Resident(self._data.tensors[0], self.batch_size, structure, memory)
        self._recent: OrderedDict[tuple, Answer] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def refused(self) -> str:
        return self._resident.refused if self._resident else self._kind.unrepeatable

    @property
    def resident_bytes(self) -> int:
        """Memory of the intermediate results that are kept now."""
        return self._resident.bytes if self._resident else 0

    def forget(self) -> None:
        """Free the intermediate results: the next evaluation computes everything."""
        with self._lock:
            if self._resident:
                self._resident.forget()

    def evaluate(self, plan: Plan, report: Report = silent) -> Answer:
        """What `evaluate` finds for the model masked by the plan, or cut where that is something else.

        `report` hears between operators, too, and so can cancel within a batch; where samples have classes, its
        metrics hold the accuracy so far. A cancelled evaluation leaves everything usable.

        Raises:
            ExplorerError: the plan does not fit the model, or see `explorer.tasks.evaluate`.
        """
        key = (*sorted(plan.remove.items()), plan.blocks)
        with self._lock:
            if key in self._recent:
                self._recent.move_to_end(key)
                return replace(self._recent[key], reused=1.0)
            self._recent[key] = answer = self._answer(plan, report)
            if len(self._recent) > RECENT:
                self._recent.popitem(last=False)
            return answer

    def _answer(self, plan: Plan, report: Report) -> Answer:
        options = {"kind": self._kind.name, "device": self._device, "batch_size": self.batch_size}
        by_mask = exact(self._structure, plan.check(self._structure))
        masked = (
            mask(self._module, self._structure, plan) if by_mask else cut(self._module, self._structure, plan).module
        )
        if by_mask and self._resident and not plan.blocks:  # without its blocks it is another list of calls
            labels = self._data.tensors[1]
            metric = self._kind.metric.name if self._kind.classifies else None
            run = _Run(self._resident, masked, plan, labels, metric, report)
            positions = TensorDataset(torch.arange(len(labels)), labels)
            quality, reused = evaluate(run, positions, **options, report=run.report), run.reused / len(labels)
        else:
            quality, reused = evaluate(masked, self._data, **options, report=report), 0.0
        answers = quality.predictions if isinstance(quality, Accuracy) else None
        return Answer(quality, answers, reused, "mask" if by_mask else "cut")


class _Run(nn.Module):
    """A masked model as a network of positions in the data: what `evaluate` is given."""

    def __init__(
        self, resident: Resident, masked: nn.Module, plan: Plan, labels: Tensor, metric: str | None, report: Report
    ) -> None:
        super().__init__()
        self._resident, self._plan, self._labels = resident, plan, labels
        self._masked = (masked,)  # not a part of this module, which is moved about
        self._metric, self._report, self._reported = metric, report, time.monotonic()
        self._done = self._right = 0
        self.reused = 0.0  # of the samples
        self._plain = False  # for want of memory

    def forward(self, positions: Tensor) -> Tensor:
        self._done = int(positions[0])
        if self._done == 0:  # `evaluate` begins anew when memory ran out, then with smaller batches
            self._right, self.reused = 0, 0.0
        number, offset = divmod(self._done, self._resident.size)
        whole = offset == 0 and len(positions) == self._samples(number)
        out = self._resumed(number) if whole and not self._plain else None
        if out is None:
            out = self._masked[0](self._resident.inputs[positions])
        self._done += len(positions)
        if self._metric:
            truth = self._labels[self._done - len(positions) : self._done]
            self._right += int((out.argmax(1).cpu() == truth).sum())
        return out

    def _samples(self, number: int) -> int:
        return min(self._resident.size, len(self._labels) - number * self._resident.size)

    def _resumed(self, number: int) -> Tensor | None:
        """The outputs of one batch; None, and nothing kept, if memory runs out."""
        try:
            out, reused = self._resident.outputs(number, self._masked[0], self._plan.remove, self._tick)
        except torch.OutOfMemoryError:
            self._resident.forget()
            self._plain = True
            return None
        self.reused += reused * self._samples(number)
        return out

    def _tick(self, fraction: float) -> None:
        if time.monotonic() - self._reported > PAUSE:
            done = self._done + fraction * self._samples(self._done // self._resident.size)
            self.report(done / len(self._labels), f"evaluated {self._done} of {len(self._labels)}")

    def report(self, fraction: float, message: str) -> None:
        """Tell the caller how far it is, and the accuracy so far."""
        self._reported = time.monotonic()
        so_far = {self._metric: self._right / self._done} if self._metric and self._done else {}
        self._report(fraction, message, **so_far)
