"""The loop of all methods that set single weights to zero: masks, training that holds them, measurements, a result."""

from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.evaluation import weights
from explorer.methods.spec import Spec
from explorer.methods.tools import sparse_account, steps
from explorer.methods.tools.outcome import Outcome
from explorer.methods.tools.sparse_masks import Chooser, Rule
from explorer.methods.tools.sparse_schedule import Segment, stretches
from explorer.methods.tools.sparse_state import State
from explorer.methods.tools.sparse_training import Continued, train
from explorer.methods.tools.stages import Memo, Record, Stages
from explorer.progress import Report, part
from explorer.pruning import Plan
from explorer.pruning.unstructured import apply, dense, prunable, sparsity, told
from explorer.recovery import History, initialise
from explorer.tasks import METRICS

FIRST, LAST = 0.08, 0.9  # the part of a run that its segments take


class Sparsifying:
    """One run of a method that sets weights to zero, segment by segment; `state` is where it has come to.

    Args:
        spec: of the run.
        report: is told of every segment.
        memo: remembers them.
        rule: by which weights are chosen.
        start: "trained": from the model's weights; "initial": from fresh random ones.
    """

    def __init__(self, spec: Spec, report: Report, memo: Memo, rule: Rule, start: str = "trained") -> None:
        self.spec, self.rule, self._report = spec, rule, report
        self.subject = subject = steps.open_subject(spec, part(report, 0.0, 0.04))
        if not subject.task.measured:
            raise ExplorerError(f"{spec.method} trains and judges by labels, and {spec.data!r} has none: use real data")
        self.stages = Stages(spec.seed, report, memo)
        measured = steps.measured(subject, subject.module)
        self.base = self.stages("base", 0.04, FIRST, "measuring the base model", measured)
        self.beginning = self.state = _beginning(subject, spec, start)
        self.history: list[dict[str, Any]] = []
        self.recovery = History("none", seconds=0.0).to_json()
        self._chooser = Chooser(rule, subject, spec)

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
        subject, spec, masks = self.subject, self.spec, self.state.masks
        cut = self.module(self.beginning)
        apply(cut, masks)
        as_cut = self.stages("cut", LAST, 0.94, "measuring the zeros without training", steps.measured(subject, cut))
        module = self.module(self.state)
        measured = steps.measured_beside(subject, module)
        pruned = self.stages("pruned", 0.94, 1.0, "measuring the sparse model", measured)
        networks = ((self.base, subject.module, {}), (as_cut, cut, masks), (pruned, module, masks))
        example = subject.loaded.example()
        base, before, after = (
            steps.measurement(record) | sparse_account.saved(network, kept, example)
            for record, network, kept in networks
        )
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
            against_base=steps.against_base(self.base, pruned),
            target=None,
            achieved={"params": 1.0, "macs": 1.0},
            groups=steps.widths(subject.structure, Plan(spec.model)),
            scores={},
            recovery=self.recovery,
            warnings=[*sparse_account.remarks(masks, self.rule), *self.recovery["warnings"]],
            seconds=self.stages.seconds,
            steps=self.history,
            sparse=sparse_account.account(module, masks, self.rule, subject, spec.sparsity, after),
            pruned_at=self.state.pruned_at,
        )

    def _segment(
        self, segment: Segment, begun: State, back: State | None, stretch: tuple[int, int], number: int, report: Report
    ) -> Record:
        """New masks for the model of `begun`, and its training, from the weights of `back` where that is given."""
        module = self.module(begun)
        before = dense(begun.masks) if segment.afresh else begun.masks
        masks = self._chooser.choose(segment, module, before, part(report, 0.0, 0.1))
        layers = told(prunable(module, self.spec.locked), begun.masks, masks)
        if back is not None:
            module.load_state_dict(back.tensors)
        regime = Continued(segment, stretch, {} if segment.restart else begun.optimizer)
        history, optimizer = train(
            module,
            masks,
            segment,
            regime,
            self.subject,
            self.spec,
            seed=self.spec.seed + number,
            report=part(report, 0.1, 1.0),
        )
        values = {
            "sparsity": sparsity(masks),
            "before": history.start,
            "after": history.epochs[history.best - 1].score if history.best else history.start,
            "layers": layers,
            "recovery": history.to_json(),
            "plan": Plan(self.spec.model).to_json(),
            "attributes": {},
            "rolled_back": False,
        }
        return State(weights(module), begun.pruned(masks, number), optimizer).to_record(values)

    def _note(self, number: int, record: Record, fraction: float) -> None:
        """Writes a finished segment into the history, and tells whoever watches."""
        values, cost, metric = record.values, self.subject.structure.cost(), METRICS[self.subject.task.metric]
        self.recovery = values["recovery"]
        before = {f"{metric.name}_before": values["before"]}
        self.history.append(
            {
                "step": number,
                "sparsity": values["sparsity"],
                "epochs": len(values["recovery"]["epochs"]),
                "macs": cost.macs,
                "params": cost.params,
                **before,
                f"{metric.name}_after": values["after"],
                "seconds": values["step_seconds"],
                "rolled_back": False,
                "layers": values["layers"],
            }
        )
        zeros = f"{values['sparsity']:.1%} of the weights are zero"
        numbers = {"step": number, "sparsity": values["sparsity"], "macs": cost.macs, "params": cost.params}
        self._report(
            fraction,
            f"step {number}: {zeros}, validation {metric.short} {metric.text(values['after'])}",
            **numbers,
            rolled_back=0,
            **before,
            **{metric.name: values["after"]},
            **{f"sparsity/{layer['name']}": layer["sparsity"] for layer in values["layers"]},
        )


def _beginning(subject: steps.Subject, spec: Spec, start: str) -> State:
    """The model before the first segment: nothing has become zero."""
    module = deepcopy(subject.module)
    if start == "initial":
        initialise(module, subject.loaded.architecture, spec.seed)
    layers = prunable(subject.module, spec.locked)
    never: dict[str, Tensor] = {name: torch.zeros(weight.shape, dtype=torch.int16) for name, weight in layers.items()}
    return State(weights(module), never)
