"""What the network reaches whole, as cut, repaired and trained: measured as a page goes, told by the strip."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from explorer.board.document import latency_in_short
from explorer.budget import Target
from explorer.budget.latency_table import LatencyModel, LatencyTable
from explorer.errors import ExplorerError
from explorer.methods.tools.portions import portion_places
from explorer.plain import visible
from explorer.progress import Report
from explorer.pruning import Plan
from explorer.runs.queue.asking import Asked
from explorer.runs.queue.desk import DESK
from explorer.structure import Structure
from explorer.tasks import METRICS, Metric, Task, headline
from explorer.ui import engine
from explorer.ui.parts import jobs, measured, scoring, standing
from explorer.ui.parts.strip import Said, Stage, Strip
from explorer.ui.state.workspace import Point, Workspace
from explorer.ui.text import words

EPOCHS = 3
NO_TRAINING, SOME_EPOCHS = ("repaired", ", no training"), ("trained", f" {EPOCHS} epochs")
WHOLE, CUT, REPAIRED, TRAINED = "whole", "cut", "repaired", "trained"
BY = {
    "mask": "Simulated by a mask: the whole network with weights at zero, which gives the cut network's answers.",
    "cut": "Measured on a cut copy.",
}
REPAIRS = {
    "reconstruct": "Least squares: what reads the cut widths is solved again for the answers that it gave before.",
    "bn": "Batch-norm statistics estimated again on the cut network: least squares can't help here.",
    "none": "There is nothing that can be repaired without training.",
}
OFTEN = 0.25  # seconds between two looks at a repair
BYTES = 4  # of a weight in float32


@dataclass(frozen=True)
class Answers:
    """What the whole network and the plan reach on the validation samples, with the answers of both."""

    whole: engine.Simulated
    now: engine.Simulated


class Stages:
    """The strip of a step and what it tells of the workspace's plan: at once what is known, the rest by `measure`."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.strip = Strip(self._act)
        self.said = self._known()
        self.strip.show(self.said)

    def measure(self, task: Task | None) -> Answers | None:
        """Measures what is not known yet, showing it as it comes; None where there is nothing to measure.

        For the end of a page: everything else stands there while it goes on.
        """
        self.said = self._known()
        self.strip.show(self.said)
        plan = plan_of(self.workspace)
        if task is None or not task.measured or plan is None:
            return None
        if not engine.is_quick(self.workspace.model) and not self.workspace.form.get(_asked(self.workspace, plan)):
            self._tell(Stage(CUT, "as cut", action="Measure", about="A large network: measured on request."))
            return None
        try:
            return self._measured(task, plan)
        except ExplorerError as error:
            self._tell(Stage(CUT, "as cut", note=visible(str(error)), tone="lost"))
            return None

    def open(self) -> None:
        """`measure` for a page that needs neither network nor data itself; says nothing where they can't be opened."""
        try:
            opened = engine.opened(self.workspace.model)
            task = engine.task(self.workspace.data, opened.model)
        except ExplorerError:  # the steps that need them say why
            return
        self.measure(task)

    def _measured(self, task: Task, plan: Plan) -> Answers:
        model, data, metric = self.workspace.model, self.workspace.data, METRICS[task.metric]
        whole = engine.simulate(model, data, Plan(model), self._progress(WHOLE, "whole", metric))
        self._tell(_whole(whole, metric))
        self._standing(whole)
        if plan.empty:
            self._ask(plan)  # so that the worker has the network open when the first cut comes
            return Answers(whole, whole)
        now = engine.simulate(model, data, plan, self._progress(CUT, "as cut", metric))
        self._tell(_as_cut(now, whole, metric))
        self._remember(plan, "none", now.quality)
        repairing, training = self._repaired(plan, now, metric), self._trained(plan, metric)
        if repairing or training:
            self._follow(plan, now, metric, repairing=repairing, training=training)
        return Answers(whole, now)

    def _follow(self, plan: Plan, now: engine.Simulated, metric: Metric, *, repairing: bool, training: bool) -> None:
        """Tells of what is under way until one of it has come to its end: then the page has more to show."""

        def look() -> None:
            ended = repairing and not self._repaired(plan, now, metric)
            ended |= training and not self._trained(plan, metric)
            if ended:
                st.rerun(scope="app")

        st.fragment(look, run_every=OFTEN if repairing else 1.0)()

    def _repaired(self, plan: Plan, now: engine.Simulated, metric: Metric) -> bool:
        """Asks for the repair and tells how that stands; whether it is still under way."""
        asked = self._ask(plan)
        stage = Stage(REPAIRED, *NO_TRAINING)
        if asked.state == "done":
            found = headline({**asked.result, "metric": metric.name})
            self._remember(plan, asked.result["recovery"], found)
            self._tell(_recovered(stage, found, now.quality, metric, _repair(asked.result)))
        elif asked.state == "failed":
            self._tell(replace(stage, note="failed", about=asked.error or ""))
        else:
            self._tell(replace(stage, fraction=asked.fraction, about=words.sentence(asked.message)))
        return not asked.final

    def _ask(self, plan: Plan) -> Asked:
        """Asks for the repair of a plan; the newest one takes the place of those before."""
        spec = {"model": self.workspace.model, "data": self.workspace.data, **_spec(plan)}
        return DESK.ask({"kind": "repair", "spec": spec}, self.workspace.token, REPAIRED)

    def _trained(self, plan: Plan, metric: Metric) -> bool:
        """The last stage is work of minutes; its result is found again with its plan. Whether it is under way."""
        stage = Stage(TRAINED, *SOME_EPOCHS)
        job = jobs.find(self.workspace, _training(self.workspace, plan)[0])
        if job is not None and job.state == "done":
            found = headline({**job.result["rungs"][-1], "metric": metric.name})
            self._remember(plan, "finetune", found)
            about = (
                f"On {found.samples} validation samples, which also chose the best epoch, so it is a little too good. "
                "Recover trains for longer and measures on test data."
            )
            self._tell(_recovered(stage, found, None, metric, about))
        elif job is not None and not job.final:
            self._tell(replace(stage, fraction=job.fraction))
        else:
            self._tell(replace(stage, action="Train", about="Fine-tunes the cut network in the background."))
        return job is not None and not job.final

    def _standing(self, whole: engine.Simulated) -> None:
        found = standing.guessing(self.workspace) or standing.too_few(whole.quality)
        if found is not None:
            self.said = replace(self.said, word=found.word, why=found.why)
            self.strip.show(self.said)

    def _act(self, stage: str) -> None:
        """A button of the strip was pressed."""
        plan = plan_of(self.workspace)
        if plan is None:
            return
        if stage == TRAINED:
            kind, request = _training(self.workspace, plan)
            jobs.start(self.workspace, kind, request, f"Fine-tune a plan for {self.workspace.model}")
        else:
            self.workspace.note(_asked(self.workspace, plan), True)

    def _tell(self, stage: Stage) -> None:
        """One stage anew."""
        self.said = replace(
            self.said, stages=tuple(stage if old.name == stage.name else old for old in self.said.stages)
        )
        self.strip.show(self.said)

    def _progress(self, name: str, label: str, metric: Metric) -> Report:
        def report(fraction: float, message: str, **metrics: float) -> None:
            so_far = f"{metric.text(metrics[metric.name])} so far" if metric.name in metrics else ""
            self._tell(Stage(name, label, note=so_far, fraction=min(fraction, 1.0)))

        return report

    def _remember(self, plan: Plan, recovery: str, found: Any) -> None:
        """A point of the trail."""
        structure = engine.opened(self.workspace.model).structure
        whole, now = structure.cost(), plan.cost(structure)
        costs = now.macs / max(whole.macs, 1), now.params / max(whole.params, 1)
        workspace = self.workspace
        point = Point(workspace.draft.now, workspace.setting, recovery, *costs, found.value, found.low, found.high)
        workspace.tried(point)

    def _known(self) -> Said:
        """What can be said without any work."""
        opened = engine.known(lambda: engine.opened(self.workspace.model))
        if opened is None:
            return Said("Reading the network", stages=(Stage(WHOLE, "whole", fraction=0.0),))
        task = engine.known(lambda: engine.task(self.workspace.data, opened.model))
        plan = plan_of(self.workspace)
        cost = None if plan is None else _cost(self.workspace, opened.structure, plan)
        if task is None or plan is None or not task.measured:
            about = "Cost only: this data has no labels to judge by" if task and not task.measured else "Cost"
            return Said(about, stages=(), cost=cost)
        metric = METRICS[task.metric]
        count = len(portion_places(len(task.validation), opened.structure.cost().macs))
        about = f"{metric.label} on {count:,} validation {words.samples(task)}"
        return Said(about, stages=self._stages(plan, metric), cost=cost)

    def _stages(self, plan: Plan, metric: Metric) -> tuple[Stage, ...]:
        model, data = self.workspace.model, self.workspace.data
        whole = engine.known(lambda: engine.simulate(model, data, Plan(model)))
        first = Stage(WHOLE, "whole") if whole is None else _whole(whole, metric)
        if plan.empty:
            return (first,)
        now = engine.known(lambda: engine.simulate(model, data, plan))
        second = Stage(CUT, "as cut") if now is None or whole is None else _as_cut(now, whole, metric)
        return first, second, Stage(REPAIRED, *NO_TRAINING), Stage(TRAINED, *SOME_EPOCHS)


def plan_of(workspace: Workspace) -> Plan | None:
    """What the board's choice removes; None as long as the scores that it goes by are not known."""
    if workspace.draft.now.empty:
        return Plan(workspace.model)
    scores = scoring.known(workspace)
    return None if scores is None else engine.plan_of(workspace.model, scores, workspace.draft.now)


def goal(workspace: Workspace) -> Target | None:
    """What was asked for last, where the counters can mark it."""
    form = workspace.form
    kind = form.get("quantity", "macs")
    return Target(kind, form["keep"] / 100) if "keep" in form and kind != "size" else None


def _cost(workspace: Workspace, structure: Structure, plan: Plan) -> dict[str, Any]:
    whole, now = structure.cost(), plan.cost(structure)
    target = goal(workspace)
    found = {"macs": now.macs, "params": now.params, "bytes": now.params * BYTES}
    document = engine.known(lambda: measured.staircases_of(workspace))
    if document:
        found["latency"] = LatencyModel(LatencyTable.of(document), structure)(plan.kept(structure))
    return {
        "whole": {"macs": whole.macs, "params": whole.params},
        "now": found,
        "latency": latency_in_short(document) if document else None,
        "target": None if target is None else {"kind": target.kind, "keep": target.keep},
    }


def _whole(found: engine.Simulated, metric: Metric) -> Stage:
    return _reached(Stage(WHOLE, "whole"), found.quality, metric, metric.definition)


def _as_cut(now: engine.Simulated, whole: engine.Simulated, metric: Metric) -> Stage:
    change = metric.difference(now.quality.value - whole.quality.value)
    lost = now.quality.value < (whole.quality.value if whole.quality.low is None else whole.quality.low)
    about = f"{change} against the whole network. {BY[now.by]}"
    if lost:
        about += " A low number right after a cut is normal: recovery gives most of it back."
    return _reached(Stage(CUT, "as cut", tone="lost" if lost else ""), now.quality, metric, about)


def _recovered(stage: Stage, found: Any, before: Any | None, metric: Metric, about: str) -> Stage:
    better = before is None or found.value > before.value
    return _reached(replace(stage, tone="recovered" if better else ""), found, metric, about)


def _reached(stage: Stage, found: Any, metric: Metric, about: str) -> Stage:
    """The stage with what was measured."""
    return replace(stage, value=metric.text(found.value), note=_interval(found, metric), about=about)


def _repair(result: Mapping[str, Any]) -> str:
    """How the repair was made."""
    said = [
        f"{REPAIRS[result['recovery']]} It took {result['seconds']:.1f} s.",
        *map(words.sentence, result["warnings"]),
    ]
    return " ".join(said)


def _interval(found: Any, metric: Metric) -> str:
    return "" if found.low is None or found.high is None else metric.interval(found.low, found.high)


def _asked(workspace: Workspace, plan: Plan) -> str:
    """The key of a person's wish to have a plan of a large network measured."""
    return f"measure {_digest([workspace.model, workspace.data, _spec(plan)])}"


def _training(workspace: Workspace, plan: Plan) -> tuple[str, dict[str, Any]]:
    """The key of the job that fine-tunes a plan, and what it is asked."""
    spec = {"model": workspace.model, "data": workspace.data, **_spec(plan)}
    request = {"kind": "ladder", "spec": {**spec, "recover": "finetune", "epochs": EPOCHS}}
    return f"tune {_digest(request)}", request


def _spec(plan: Plan) -> dict[str, Any]:
    """A plan as a spec says it."""
    return {"plan": {name: list(units) for name, units in sorted(plan.remove.items())}, "skip": list(plan.blocks)}


def _digest(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]
