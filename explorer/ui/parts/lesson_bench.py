"""Who measures for a lesson on the pages: the cached engine where that is quick, the desk for the rest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from explorer.budget import Target
from explorer.criteria import Scores
from explorer.errors import ExplorerError
from explorer.learning.lessons.situation import Done, Judged, NotYetError, Situation, Timed, Tried
from explorer.pruning import Plan
from explorer.recovery import RECOVERIES
from explorer.runs.queue.desk import DESK
from explorer.structure import Structure
from explorer.tasks import Accuracy, Headline, headline
from explorer.ui import engine
from explorer.ui.parts import jobs, scoring, stages
from explorer.ui.state.workspace import Workspace


@dataclass(frozen=True)
class PageBench:
    """Answers in the name of a workspace, whose jobs and questions they are.

    Questions are answered once for all who ask the same: a class that opens the same reveal waits for one answer.

    Args:
        again: whether what a worker has failed to answer is asked anew.
    """

    workspace: Workspace
    again: bool = False

    def structure(self, model: str) -> Structure:
        return engine.opened(model).structure

    def scores(self, model: str, data: str, criterion: str, options: Mapping[str, str]) -> Scores:
        found = scoring.scores_of(self.workspace, model, data, criterion, options)
        if isinstance(found, Scores):
            return found
        raise NotYetError(found.fraction, found.message)

    def shared_out(
        self, model: str, scores: Scores, macs: float, allocator: str, locked: Mapping[str, int]
    ) -> dict[str, float]:
        targets = (Target("macs", macs),)
        if not engine.allocation_is_quick(model, allocator, targets):
            raise ExplorerError(f"sharing out by {allocator} takes long: do it on the Cut page")
        return dict(engine.allocated(model, allocator, scores, targets, locked=locked).budget)

    def classes(self, model: str, data: str) -> tuple[str, ...]:
        return tuple(engine.task(data, engine.opened(model).model).classes)

    def judge(self, model: str, data: str, plan: Plan, recovery: str) -> Judged:
        whole = engine.simulate(model, data, Plan(model)) if engine.is_quick(model) else None
        labels = whole.quality.labels if whole is not None and isinstance(whole.quality, Accuracy) else None
        metric = engine.task(data, engine.opened(model).model).metric
        if RECOVERIES[recovery].trains:
            return _judged(metric, self._trained(model, data, plan, recovery))
        if recovery == "none" and whole is not None:
            found = engine.simulate(model, data, plan)
            return _judged(metric, found.quality, found.answers, labels)
        told = self._answer("recover", model, data, plan, recover=recovery)
        answers = None if told["answers"] is None else np.asarray(told["answers"])
        return _judged(metric, headline(told), answers, labels)

    def time(self, model: str, plan: Plan, batch: int) -> Timed:
        told = self._answer("time", model, self.workspace.data, plan, batch=batch)
        return Timed(
            told["ms"], told["base_ms"], told["ratio"], told["low"], told["high"], told["batch"], told["rounds"]
        )

    def _answer(self, kind: str, model: str, data: str, plan: Plan, **more: Any) -> dict[str, Any]:
        """A worker's answer to a question about a plan."""
        spec = {"model": model, "data": data, **stages.plan_spec(plan), **more}
        key = f"lesson {stages.digest([kind, spec])}"
        asked = DESK.ask({"kind": kind, "spec": spec}, self.workspace.token, key, again=self.again)
        if asked.state == "done":
            return asked.result
        if asked.state == "failed":
            raise ExplorerError(asked.error or "the worker gave no answer")
        raise NotYetError(asked.fraction, asked.message)

    def _trained(self, model: str, data: str, plan: Plan, recovery: str) -> Headline:
        kind, _ = stages.training(model, data, plan)
        job = jobs.find(self.workspace, kind)
        if job is not None and job.state == "done":
            return headline({**job.result["rungs"][-1], "metric": job.result["metric"]})
        if job is None or job.final:
            raise NotYetError(message=jobs.refused(kind) or (job.error if job else "") or "", offer=recovery)
        raise NotYetError(job.fraction, job.message)

    def train(self, model: str, data: str, plan: Plan) -> None:
        """Starts the training of a plan: the same that the strip offers."""
        kind, request = stages.training(model, data, plan)
        jobs.start(self.workspace, kind, request, f"Fine-tune a plan for {model}")


def _judged(metric: str, found: Any, answers: np.ndarray | None = None, labels: np.ndarray | None = None) -> Judged:
    return Judged(metric, found.value, found.low, found.high, found.samples, answers, labels)


def situation_of(workspace: Workspace, page: str, *, again: bool = False) -> Situation:
    """Where a workspace stands; `again` as `PageBench` has it."""

    def tried() -> tuple[Tried, ...]:
        points = [point for point in workspace.draft.trail if point.setting[0] == workspace.data]
        return tuple(Tried(each.choice, each.setting[1], each.recovery, each.macs, each.value) for each in points)

    def ended() -> tuple[Done, ...]:
        found = [job for job in DESK.jobs(workspace.token) if job.state == "done"]
        return tuple(Done(job.kind, job.request["spec"]) for job in found)

    return Situation(
        workspace.model,
        workspace.data,
        workspace.criterion,
        workspace.options,
        workspace.draft.now,
        page,
        PageBench(workspace, again),
        tried,
        ended,
    )
