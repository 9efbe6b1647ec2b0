"""What the network reaches whole, as cut, repaired and trained: measured as a page goes, told by the strip."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from explorer.board.choice import Choice
from explorer.board.document import latency_in_short
from explorer.budget import Target
from explorer.budget.latency_table import LatencyModel, LatencyTable
from explorer.errors import ExplorerError
from explorer.methods.tools.portions import portion_places
from explorer.plain import visible
from explorer.progress import Report, paced
from explorer.pruning import Plan
from explorer.runs.queue.asking import Asked
from explorer.runs.queue.desk import DESK
from explorer.structure import Structure
from explorer.tasks import METRICS, Headline, Metric, Task, headline
from explorer.ui import engine
from explorer.ui.parts import jobs, measured, scoring, standing
from explorer.ui.parts.strip import Said, Strip
from explorer.ui.state.workspace import Point, Workspace
from explorer.ui.text import stages as told
from explorer.ui.text import words
from explorer.ui.text.stage import Stage
from explorer.ui.text.stages import CUT, EPOCHS, FIRST, REPAIRED, TRAINED, WHOLE

OFTEN, SELDOM = 0.25, 1.0  # seconds between two looks at questions or words of progress, and at a training
KEEP = 50  # percent of the whole network's cost, the goal at first
BYTES = 4  # of a weight in float32
QUESTIONS = {WHOLE: "judge", CUT: "judge", REPAIRED: "repair"}  # what a stage is asked by, where a worker answers


@dataclass(frozen=True)
class Answers:
    """What the whole network and the plan reach on the validation samples, with the answers of both."""

    whole: engine.Simulated
    now: engine.Simulated


@dataclass(frozen=True)
class At:
    """What the numbers of a page are about. Another tab of the workspace may have gone on meanwhile."""

    model: str
    data: str
    setting: tuple[str, ...]
    choice: Choice

    @classmethod
    def of(cls, workspace: Workspace) -> "At":
        return cls(workspace.model, workspace.data, workspace.setting, workspace.draft.now)


class Stages:
    """The strip of a step and what it tells of the workspace's plan: at once what is known, the rest by `measure`."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.at = At.of(workspace)
        self._asked: dict[str, Asked] = {}  # the latest questions, by stage
        self.strip = Strip(self._act)
        self.said = self._known()
        self.strip.show(self.said)

    def measure(self, task: Task | None) -> Answers | None:
        """Measures what is not known yet, showing it as it comes; None where there are no answers to show.

        For the end of a page: everything else stands there while it goes on. What a large network reaches is asked of
        a worker.
        """
        self.at = At.of(self.workspace)
        self.said = self._known()
        self.strip.show(self.said)
        plan = plan_of(self.workspace)
        if task is None or not task.measured or plan is None:
            return None
        metric = METRICS[task.metric]
        if not engine.is_quick(self.at.model):
            self._ask_all(plan, metric)
            return None
        try:
            return self._measured(plan, metric)
        except ExplorerError as error:
            self._failed(WHOLE if plan.empty else CUT, str(error))
            return None

    def open(self) -> None:
        """`measure` for a page that needs neither network nor data itself."""
        try:
            opened = engine.opened(self.at.model)
            task = engine.task(self.at.data, opened.model)
        except ExplorerError as error:
            self.cannot(error)
            return
        self.measure(task)

    def cannot(self, error: ExplorerError) -> None:
        """Says that the network can't be opened."""
        self.strip.show(Said("The network can't be opened", why=visible(str(error))))

    def _measured(self, plan: Plan, metric: Metric) -> Answers:
        """A network that is small enough is judged here and now."""
        model, data = self.at.model, self.at.data
        whole = engine.simulate(model, data, Plan(model), self._progress(WHOLE, metric))
        self._tell(told.whole(whole.quality, metric))
        self._standing(whole.quality, metric)
        if plan.empty:
            with contextlib.suppress(ExplorerError):  # it only lets the worker open the network before the first cut
                self._ask(REPAIRED, plan)
            return Answers(whole, whole)
        now = engine.simulate(model, data, plan, self._progress(CUT, metric))
        self._tell(told.as_cut(now.quality, whole.quality, metric, now.by))
        self._remember(plan, "none", now.quality)
        self._follow(
            (OFTEN, lambda: self._repaired(plan, now.quality, metric)),
            (SELDOM, lambda: self._trained(plan, now.quality, metric)),
        )
        return Answers(whole, now)

    def _ask_all(self, plan: Plan, metric: Metric) -> None:
        """Of a large network all stages come from a worker."""

        def look() -> bool:
            whole = self._answered(WHOLE, Plan(self.at.model), metric)
            if whole is not None:
                self._tell(told.whole(whole, metric))
                self._standing(whole, metric)
            if plan.empty or whole is None:
                return whole is None and not self._over(WHOLE)
            now = self._answered(CUT, plan, metric)
            if now is None:
                return not self._over(CUT)
            self._tell(told.as_cut(now, whole, metric, self._asked[CUT].result["by"]))
            self._remember(plan, "none", now)
            repairing, training = self._repaired(plan, now, metric), self._trained(plan, now, metric)
            return repairing or training

        self._follow((SELDOM, look))

    def _over(self, name: str) -> bool:
        """Whether a question has come to an end without an answer."""
        return name not in self._asked or self._asked[name].final

    def _answered(self, name: str, plan: Plan, metric: Metric) -> Headline | None:
        """What the worker has found for a stage; else tells how that stands."""
        try:
            asked = self._asked[name] = self._ask(name, plan)
        except ExplorerError as error:
            self._failed(name, str(error))
            return None
        if asked.state == "done":
            return headline({**asked.result, "metric": metric.name})
        if asked.state == "failed":
            self._failed(name, asked.error or "")
        else:
            self._tell(replace(FIRST[name], fraction=asked.fraction, about=words.sentence(asked.message)))
        return None

    def _follow(self, *looks: tuple[float, Callable[[], bool]]) -> None:
        """Looks at what is under way until one of it has come to its end: then the page has more to show.

        `looks`: seconds between two, and what tells and gives whether it is still under way.
        """
        going = [(seconds, look) for seconds, look in looks if look()]
        if not going:
            return

        def again() -> None:
            self.strip.show(self.said)  # a fragment may only write where it wrote as the page was drawn
            if At.of(self.workspace) != self.at or not all(look() for _, look in going):
                st.rerun(scope="app")

        st.fragment(again, run_every=jobs.pace(min(seconds for seconds, _ in going)))()

    def _repaired(self, plan: Plan, now: Any, metric: Metric) -> bool:
        """Asks for the repair and tells how that stands; whether it is still under way."""
        found = self._answered(REPAIRED, plan, metric)
        if found is not None:
            result = self._asked[REPAIRED].result
            self._remember(plan, result["recovery"], found)
            self._tell(told.repaired(result, found, now, metric))
        return found is None and not self._over(REPAIRED)

    def _ask(self, name: str, plan: Plan, *, again: bool = False) -> Asked:
        """Asks for a stage of a plan; the newest one takes the place of those before."""
        spec = {"model": self.at.model, "data": self.at.data, **plan_spec(plan)}
        request = {"kind": QUESTIONS[name], "spec": spec}
        return DESK.ask(request, self.workspace.token, name, again=again)

    def _trained(self, plan: Plan, now: Any, metric: Metric) -> bool:
        """The last stage is work of minutes; its result is found again with its plan. Whether it is under way."""
        stage = FIRST[TRAINED]
        kind = training(self.at.model, self.at.data, plan)[0]
        job = jobs.find(self.workspace, kind)
        if job is not None and job.state == "done":
            found = headline({**job.result["rungs"][-1], "metric": metric.name})
            self._remember(plan, "finetune", found)
            self._tell(told.trained(found, now, metric))
        elif job is not None and not job.final:
            self._tell(replace(stage, fraction=job.fraction))
        else:
            refused = jobs.refused(kind)
            ended = job.state if job is not None else ""
            about = visible(refused or (job.error if job is not None else "") or "Fine-tunes the cut network.")
            self._tell(replace(stage, action="Train", note="refused" if refused else ended, about=about))
        return job is not None and not job.final

    def _standing(self, whole: Any, metric: Metric) -> None:
        found = standing.guessing(self.workspace) or standing.too_few(whole, metric)
        if found is not None:
            self.said = replace(self.said, word=found.word, why=found.why)
            self.strip.show(self.said)

    def _act(self, name: str) -> None:
        """A button of the strip was pressed."""
        plan = plan_of(self.workspace)
        if plan is None:
            return
        self.at = At.of(self.workspace)
        if name == TRAINED:
            kind, request = training(self.at.model, self.at.data, plan)
            jobs.start(self.workspace, kind, request, f"Fine-tune a plan for {self.at.model}")
        elif name in QUESTIONS:
            with contextlib.suppress(ExplorerError):  # the page asks again and says why it may not
                self._ask(name, Plan(self.at.model) if name == WHOLE else plan, again=True)

    def _failed(self, name: str, why: str) -> None:
        self._tell(replace(FIRST[name], note="failed", about=visible(why), action="Try again", tone="lost"))

    def _tell(self, stage: Stage) -> None:
        """One stage anew."""
        stages = tuple(stage if old.name == stage.name else old for old in self.said.stages)
        if stages != self.said.stages:
            self.said = replace(self.said, stages=stages)
            self.strip.show(self.said)

    def _progress(self, name: str, metric: Metric) -> Report:
        """Tells how far it is, and stops when the page is asked for anew, a few times a second: each is work."""

        def report(fraction: float, message: str, **metrics: float) -> None:
            so_far = f"{metric.text(metrics[metric.name])} so far" if metric.name in metrics else ""
            self._tell(replace(FIRST[name], note=so_far, fraction=min(fraction, 1.0)))

        return paced(report, OFTEN, at_once=False)

    def _remember(self, plan: Plan, recovery: str, found: Any) -> None:
        """A point of the trail, as long as the workspace still stands at what was measured."""
        if At.of(self.workspace) != self.at:
            return
        structure = engine.opened(self.at.model).structure
        whole, now = structure.cost(), plan.cost(structure)
        costs = now.macs / max(whole.macs, 1), now.params / max(whole.params, 1)
        point = Point(self.at.choice, self.at.setting, recovery, *costs, found.value, found.low, found.high)
        self.workspace.tried(point)

    def _known(self) -> Said:
        """What can be said without any work."""
        opened = engine.known(lambda: engine.opened(self.at.model))
        if opened is None:
            return Said("Reading the network", stages=(replace(FIRST[WHOLE], fraction=0.0),))
        task = engine.known(lambda: engine.task(self.at.data, opened.model))
        plan = plan_of(self.workspace)
        cost = None if plan is None else _cost(self.workspace, opened.structure, plan)
        if task is None or plan is None or not task.measured:
            about = "Cost only: this data has no labels to judge by" if task and not task.measured else "Cost"
            return Said(about, stages=(), cost=cost)
        metric = METRICS[task.metric]
        count = len(portion_places(len(task.validation), opened.structure.cost().macs))
        about = f"{metric.label} on {count:,} validation {words.samples(task)}"
        return Said(about, stages=self._stages(plan, metric), cost=cost)

    def _stages(self, plan: Plan, metric: Metric) -> Sequence[Stage]:
        model, data = self.at.model, self.at.data
        whole = engine.known(lambda: engine.simulate(model, data, Plan(model)))
        first = FIRST[WHOLE] if whole is None else told.whole(whole.quality, metric)
        if plan.empty:
            return (first,)
        now = engine.known(lambda: engine.simulate(model, data, plan))
        second = FIRST[CUT]
        if now is not None and whole is not None:
            second = told.as_cut(now.quality, whole.quality, metric, now.by)
        return first, second, FIRST[REPAIRED], FIRST[TRAINED]


def plan_of(workspace: Workspace) -> Plan | None:
    """What the board's choice removes; None as long as the scores that it goes by are not known."""
    if workspace.draft.now.empty:
        return Plan(workspace.model)
    scores = scoring.known(workspace)
    return None if scores is None else engine.plan_of(workspace.model, scores, workspace.draft.now)


def goal(workspace: Workspace) -> Target | None:
    """What was asked for last, at first half of the MACs, where the counters can mark it."""
    form = workspace.form
    kind = form.get("quantity", "macs")
    return Target(kind, form.get("keep", KEEP) / 100) if kind != "size" else None


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


def training(model: str, data: str, plan: Plan) -> tuple[str, dict[str, Any]]:
    """The key of the job that fine-tunes a plan, and what it is asked."""
    spec = {"model": model, "data": data, **plan_spec(plan)}
    request = {"kind": "ladder", "spec": {**spec, "recover": "finetune", "epochs": EPOCHS}}
    return f"tune {digest(request)}", request


def plan_spec(plan: Plan) -> dict[str, Any]:
    """A plan as a spec says it."""
    return {"plan": {name: list(units) for name, units in sorted(plan.remove.items())}, "skip": list(plan.blocks)}


def digest(document: Any) -> str:
    """A short name of a document, the same for equal ones."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]
