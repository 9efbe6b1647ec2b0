"""The loop of all methods that set single weights to zero: masks, training that holds them, measurements, a result."""

import zlib
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from explorer.criteria.tools.single import SINGLE, dense_gradients, score_weights
from explorer.errors import ExplorerError
from explorer.evaluation import METADATA, METRICS, evaluate, weights
from explorer.evaluation.nonzero import nonzero, semi_structured
from explorer.methods.spec import Spec
from explorer.methods.tools import steps
from explorer.methods.tools.outcome import Outcome
from explorer.methods.tools.sparse_schedule import Segment, Training, stretches
from explorer.methods.tools.stages import Memo, Record, Stages
from explorer.progress import Report, part
from explorer.pruning import Plan
from explorer.pruning.packing import packed
from explorer.pruning.unstructured import (
    Masks,
    apply,
    dense,
    drop_lowest,
    exchange,
    held,
    input_axes,
    keep_pattern,
    prunable,
    sparsity,
    tails,
    told,
)
from explorer.recovery import History, finetune, initialise, recalibrate
from explorer.recovery.training import Regime, schedule

FIRST, LAST = 0.08, 0.9  # the stretch of a run that its segments take
SYNFLOW_ROUNDS = 100  # as in its paper: in a single one whole layers would go
NO_SPEED = "zeros don't make a network faster on dense kernels: they save room when packed, and time on sparse hardware"


@dataclass(frozen=True)
class Rule:
    """How weights are chosen: the share with the lowest scores, or `pattern` (keep, of) of every few neighbours."""

    criterion: str = "l1"
    scope: str = "global"
    margins: str = "magnitude"
    pattern: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Raises for what does not go together."""
        if self.criterion not in SINGLE:
            raise ExplorerError(
                f"criterion {self.criterion!r} scores channels, not single weights: use {', '.join(SINGLE)}"
            )
        if self.margins == "signed" and (self.criterion != "l1" or self.pattern):
            raise ExplorerError("margins of signed weights are quantiles of weights: use --criterion l1 and no pattern")


@dataclass(frozen=True)
class State:
    """A model on the way: its weights, when each of them became zero, and what the optimiser remembers.

    `pruned_at` has for every weight of a layer the number of the step that set it to zero, 0 where it stays.
    """

    tensors: dict[str, Tensor] = field(repr=False)
    pruned_at: dict[str, Tensor] = field(repr=False)
    optimizer: dict[str, Tensor] = field(default_factory=dict, repr=False)

    @property
    def masks(self) -> Masks:
        """Which weights stay."""
        return {name: at == 0 for name, at in self.pruned_at.items()}

    def pruned(self, masks: Masks, number: int) -> dict[str, Tensor]:
        """`pruned_at` once step `number` leaves the weights of `masks`: others may have come back."""
        return {
            name: at.masked_fill((at == 0) & ~masks[name], number).masked_fill(masks[name], 0)
            for name, at in self.pruned_at.items()
        }

    def to_record(self, values: dict[str, Any]) -> Record:
        named = {"weights": self.tensors, "pruned_at": self.pruned_at, "optimizer": self.optimizer}
        return Record(values, {f"{part}/{name}": t for part, tensors in named.items() for name, t in tensors.items()})

    @classmethod
    def of(cls, record: Record, order: Iterable[str]) -> "State":
        """The state in a record; a file forgets in which `order` the masks were, and of equal scores the first go."""
        parts: dict[str, dict[str, Tensor]] = {"weights": {}, "pruned_at": {}, "optimizer": {}}
        for key, tensor in record.tensors.items():
            group, _, name = key.partition("/")
            parts[group][name] = tensor
        return cls(parts["weights"], {name: parts["pruned_at"][name] for name in order}, parts["optimizer"])


class Sparsifying:
    """One run of a method that sets weights to zero, segment by segment; `state` is where it has come to."""

    def __init__(self, spec: Spec, report: Report, memo: Memo, rule: Rule, start: str = "trained") -> None:
        self.spec, self.rule, self._report, self._start = spec, rule, report, start
        self.subject = steps.open_subject(spec, part(report, 0.0, 0.04))
        if not self.subject.task.measured:
            raise ExplorerError(f"{spec.method} trains and judges by labels, and {spec.data!r} has none: use real data")
        self.metric = METRICS[self.subject.task.metric]
        self.stages = Stages(spec.seed, report, memo)
        names = prunable(self.subject.module, spec.locked)
        self.base = self.stages(
            "base", 0.04, FIRST, "measuring the base model", steps.measured(self.subject, self.subject.module)
        )
        never = {name: torch.zeros(weight.shape, dtype=torch.int16) for name, weight in names.items()}
        self.beginning = State(self._initial(), never)
        self.state = self.beginning
        self.history: list[dict[str, Any]] = []
        self.trained = History("none", seconds=0.0).to_json()

    def run(self, segments: Sequence[Segment]) -> None:
        """Carries the segments out, each a remembered step ``sparse-NN``."""
        epochs, revisited = sum(segment.epochs for segment in segments), {segment.rewind for segment in segments}
        ends, start = {0: self.beginning}, FIRST
        for number, (segment, stretch) in enumerate(zip(segments, stretches(segments), strict=True), start=1):
            stop = start + (LAST - FIRST) * (segment.epochs / epochs if epochs else 1 / len(segments))
            back = None if segment.rewind is None else ends[segment.rewind]
            work = partial(self._segment, segment, self.state, back, stretch, number)
            record = self.stages(f"sparse-{number:02}", start, stop, f"step {number} of {len(segments)}", work)
            self.state = State.of(record, self.beginning.pruned_at)
            if number in revisited:
                ends[number] = self.state
            self._note(number, record, stop)
            start = stop

    def module(self, state: State) -> nn.Module:
        """The model with the weights of a state."""
        module = deepcopy(self.subject.module)
        module.load_state_dict(state.tensors)
        return module.eval()

    def outcome(self) -> Outcome:
        """Measures what it has come to, and tells everything."""
        subject, spec, state = self.subject, self.spec, self.state
        cut = self.module(self.beginning)
        apply(cut, state.masks)
        as_cut = self.stages("cut", LAST, 0.94, "measuring the zeros without training", steps.measured(subject, cut))
        module = self.module(state)
        pruned = self.stages("pruned", 0.94, 1.0, "measuring the sparse model", steps.measured(subject, module))
        none: Masks = {}
        measurements = [
            steps.measurement(record) | self._saved(network, masks)
            for record, network, masks in (
                (self.base, subject.module, none),
                (as_cut, cut, state.masks),
                (pruned, module, state.masks),
            )
        ]
        base, before, after = measurements
        return Outcome(
            loaded=subject.loaded,
            task=subject.task,
            structure=subject.structure,
            device=subject.device,
            module=module,
            plan=Plan(spec.model),
            attributes={},
            base=base,
            as_cut=before,
            pruned=after,
            target=None,
            achieved={"params": 1.0, "macs": 1.0},
            groups=steps.widths(subject.structure, Plan(spec.model)),
            scores={},
            recovery=self.trained,
            warnings=[*self._warnings(), *self.trained["warnings"]],
            seconds=self.stages.seconds,
            steps=self.history,
            sparse=self._account(module, after),
            pruned_at=state.pruned_at,
        )

    def _initial(self) -> dict[str, Tensor]:
        module = deepcopy(self.subject.module)
        if self._start == "initial":
            initialise(module, self.subject.loaded.architecture, self.spec.seed)
        return weights(module)

    def _segment(
        self, segment: Segment, begun: State, back: State | None, stretch: tuple[int, int], number: int, report: Report
    ) -> Record:
        module = self.module(begun)
        before = dense(begun.masks) if segment.afresh else begun.masks
        masks = self._chosen(segment, module, before, part(report, 0.0, 0.1))
        facts = told(prunable(module, self.spec.locked), begun.masks, masks)
        if back is not None:
            module.load_state_dict(back.tensors)
        earlier = {} if segment.restart else begun.optimizer
        history, optimizer = self._trained(segment, module, masks, stretch, earlier, number, part(report, 0.1, 1.0))
        values = {
            "sparsity": sparsity(masks),
            "before": history.start,
            "after": history.epochs[history.best - 1].score if history.best else history.start,
            "layers": facts,
            "recovery": history.to_json(),
            "plan": Plan(self.spec.model).to_json(),
            "attributes": {},
            "rolled_back": False,
        }
        return State(weights(module), begun.pruned(masks, number), optimizer).to_record(values)

    def _chosen(self, segment: Segment, module: nn.Module, masks: Masks, report: Report) -> Masks:
        """The masks of a segment, given the model as it is and the masks so far."""
        rule, found = self.rule, prunable(module, self.spec.locked)
        subject, seed = self.subject, self.spec.seed
        if segment.exchange:
            slopes = dense_gradients(
                module,
                subject.structure,
                subject.task.calibration,
                found,
                device=subject.device,
                samples=self.spec.samples,
                seed=seed,
                report=report,
            )
            return exchange(found, slopes, masks, segment.exchange)
        if rule.pattern:
            return keep_pattern(self._scores(module, report), input_axes(module, found), *rule.pattern)
        if round(segment.sparsity * sum(map(torch.numel, masks.values()))) <= _gone(masks):
            return masks
        if rule.criterion == "synflow":
            return self._by_rounds(segment.sparsity, module, masks)
        scores = tails(found, masks, rule.scope) if rule.margins == "signed" else self._scores(module, report)
        return drop_lowest(scores, masks, segment.sparsity, rule.scope)

    def _by_rounds(self, wanted: float, module: nn.Module, masks: Masks) -> Masks:
        """SynFlow's own way: scores anew after every small cut, the kept share falling geometrically."""
        module, left = deepcopy(module), 1 - sparsity(masks)
        for number in range(1, SYNFLOW_ROUNDS + 1):
            kept = left * ((1 - wanted) / left) ** (number / SYNFLOW_ROUNDS)
            masks = drop_lowest(self._scores(module), masks, 1 - kept, self.rule.scope)
            apply(module, masks)
        return masks

    def _scores(self, module: nn.Module, report: Report | None = None) -> dict[str, Tensor]:
        return score_weights(
            self.rule.criterion,
            module,
            self.subject.structure,
            self.subject.task.calibration,
            prunable(module, self.spec.locked),
            options=self.spec.options,
            device=self.subject.device,
            samples=self.spec.samples,
            seed=self.spec.seed,
            **({} if report is None else {"report": report}),
        )

    def _trained(
        self,
        segment: Segment,
        module: nn.Module,
        masks: Masks,
        stretch: tuple[int, int],
        earlier: dict[str, Tensor],
        number: int,
        report: Report,
    ) -> tuple[History, dict[str, Tensor]]:
        """Trains the module in place, masks held; what that did, and the optimiser's memory."""
        task, device = self.subject.task, self.subject.device
        if not segment.epochs:
            apply(module, masks)
            history = History("none", seconds=0.0)
            if self.spec.recover == "bn":
                history = recalibrate(module, task.calibration, device=device, seed=self.spec.seed, report=report)
            found = evaluate(module, task.validation, kind=task.kind, device=device)
            return History(history.recovery, history.seconds, start=found.value, metric=task.metric), {}
        regime = _Regime(segment, stretch, earlier)
        with held(module, masks) as holding:
            history = finetune(
                module,
                task,
                device=device,
                epochs=segment.epochs,
                seed=self.spec.seed + number,
                learning_rate=segment.training.rate,
                patience=segment.training.patience if segment.chooses else segment.epochs,
                objective=segment.training.objective(holding),
                regime=regime,
                name=self.spec.recover,
                report=report,
            )
        return history, regime.memory()

    def _note(self, number: int, record: Record, fraction: float) -> None:
        """Writes a finished segment into the history, and tells whoever watches."""
        values, cost, name = record.values, self.subject.structure.cost(), self.metric.name
        self.trained = values["recovery"]
        self.history.append(
            {
                "step": number,
                "sparsity": values["sparsity"],
                "epochs": len(values["recovery"]["epochs"]),
                "macs": cost.macs,
                "params": cost.params,
                f"{name}_before": values["before"],
                f"{name}_after": values["after"],
                "seconds": values["step_seconds"],
                "rolled_back": False,
                "layers": values["layers"],
            }
        )
        found = f"{values['sparsity']:.1%} of the weights are zero, validation {self.metric.short}"
        numbers = {"step": number, "sparsity": values["sparsity"], "macs": cost.macs, "params": cost.params}
        self._report(
            fraction,
            f"step {number}: {found} {self.metric.text(values['after'])}",
            **numbers,
            rolled_back=0,
            **{f"{name}_before": values["before"], name: values["after"]},
            **{f"sparsity/{layer['name']}": layer["sparsity"] for layer in values["layers"]},
        )

    def _saved(self, module: nn.Module, masks: Masks) -> dict[str, int]:
        """What a measurement has more: see `nonzero`, and with masks the `compressed_bytes` of the packed file."""
        found = nonzero(module, prunable(module), self.subject.loaded.example())
        return found | ({"compressed_bytes": len(packed(weights(module), masks))} if masks else {})

    def _account(self, module: nn.Module, measurement: dict[str, Any]) -> dict[str, Any]:
        """What the zeros save: in theory, on disk, in time.

        `sparsity` is of the `weights` that could become zero; `deflated_bytes` the dense file, compressed by zlib;
        `semi_structured` see `explorer.evaluation.nonzero`.
        """
        masks, example = self.state.masks, self.subject.loaded.example()
        if self.rule.pattern == (2, 4):
            latency = semi_structured(module, example, self.subject.device)
        else:
            latency = {"measured": False, "reason": "zeros without the 2:4 pattern are skipped by no dense kernel"}
        return {
            "asked": self.spec.sparsity,
            "sparsity": sparsity(masks),
            "weights": sum(mask.numel() for mask in masks.values()),
            "zeros": _gone(masks),
            **{name: measurement[name] for name in ("params", "nonzero_params", "macs", "nonzero_macs")},
            **{name: measurement[name] for name in ("size_bytes", "compressed_bytes")},
            "deflated_bytes": len(zlib.compress(safetensors.torch.save(weights(module), METADATA))),
            "semi_structured": latency,
            "layers": [
                {"name": name, "shape": list(mask.shape), "sparsity": 1 - int(mask.sum()) / mask.numel()}
                for name, mask in masks.items()
            ],
        }

    def _warnings(self) -> Iterable[str]:
        yield NO_SPEED
        masks = self.state.masks
        if empty := [name.rpartition(".")[0] for name, mask in masks.items() if not mask.any()]:
            yield f"no weight is left in {', '.join(empty)}: ask for less, for --set scope=layer, or lock it"
        if self.rule.pattern:
            keep, of = self.rule.pattern
            if whole := [name.rpartition(".")[0] for name, mask in masks.items() if mask.all()]:
                yield f"{', '.join(whole)} stay dense: their inputs are no multiple of {of}, as {keep}:{of} needs"


class _Regime(Regime):
    """A segment's share of a longer training, with the optimiser's memory of the earlier ones."""

    recalibrates = False

    def __init__(self, segment: Segment, stretch: tuple[int, int], earlier: dict[str, Tensor]) -> None:
        self.chooses = segment.chooses
        self._training: Training = segment.training
        self._epochs, self._stretch, self._earlier = segment.epochs, stretch, earlier
        self._made: torch.optim.Optimizer | None = None

    def optimizer(self, module: nn.Module, rate: float, further: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        if self._training.optimizer is None:
            self._made = super().optimizer(module, rate, further)
        else:
            self._made = self._training.optimizer(module, rate)
        state: dict[int, dict[str, Tensor]] = {}
        for key, tensor in self._earlier.items():
            number, _, name = key.partition("/")
            state.setdefault(int(number), {})[name] = tensor.clone()  # optimisers write into it
        self._made.load_state_dict(self._made.state_dict() | {"state": state})
        return self._made

    def share(self, step: int, steps: int) -> float:
        if self._training.constant:
            return 1.0
        before, total = (round(epochs * steps / self._epochs) for epochs in self._stretch)
        return schedule(before + step, total)

    def memory(self) -> dict[str, Tensor]:
        """The optimiser's state by place and name, as tensors on the CPU."""
        return {
            f"{number}/{name}": value.detach().cpu().contiguous().clone()
            for number, entries in self._made.state_dict()["state"].items()
            for name, value in entries.items()
            if value is not None
        }


def _gone(masks: Masks) -> int:
    return sum(int((~mask).sum()) for mask in masks.values())
