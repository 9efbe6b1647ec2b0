"""The ladder on the page: the task's metric whole, as cut, recalibrated, fine-tuned, each with how it was found."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import streamlit as st

from explorer.errors import ExplorerError
from explorer.plain import plain
from explorer.pruning import Plan
from explorer.tasks import METRICS, Metric, Task, headline
from explorer.ui import engine
from explorer.ui.parts import frame, jobs, say
from explorer.ui.state.workspace import Point, Workspace
from explorer.ui.text import words

EPOCHS = 3
BADGES = {
    "mask": ("simulated by mask", "blue", "The whole network with weights at zero, which gives the cut's answers."),
    "cut": ("measured on the cut network", "green", "Channels were physically removed from a copy."),
    "whole": ("measured", "gray", "Nothing is removed."),
}


class Ladder:
    """Four places on the page, filled as the numbers arrive, so that the board above never waits for them."""

    def __init__(self, workspace: Workspace, task: Task | None) -> None:
        self.workspace, self.task, self.choice = workspace, task, workspace.draft.now
        with st.grid(4, min_column_width=170):
            self.places = [st.empty() for _ in range(4)]

    def climb(self, plan: Plan, costs: tuple[float, float]) -> tuple[engine.Simulated, engine.Simulated] | None:
        """Fills the places; gives what the whole network and the plan reach, where there is something to measure.

        `costs`: the shares of MACs and parameters that stay, for the trail.
        """
        if self.task is None or not self.task.measured:
            with self.places[0].container(border=True):
                st.caption("Accuracy is not measured: this data has no meaningful labels.")
            return None
        if not engine.is_quick(self.workspace.model) and not st.session_state.pop("evaluate now", False):
            self._offer()
            return None
        try:
            return self._measure(plan, costs)
        except ExplorerError as error:
            self.places[1].error(plain(error))
            return None

    def _offer(self) -> None:
        with self.places[0].container(border=True):
            st.caption(f"{METRICS[self.task.metric].label}: a large network, evaluated on request")
            st.button("Evaluate", key="evaluate", on_click=lambda: st.session_state.update({"evaluate now": True}))

    def _measure(self, plan: Plan, costs: tuple[float, float]) -> tuple[engine.Simulated, engine.Simulated]:
        model, data = self.workspace.model, self.workspace.data
        whole = engine.simulate(model, data, Plan(model), self._progress(0, "Evaluating the whole network"))
        self._show(0, "Whole network", whole.quality, None, "whole")
        if plan.empty:
            for place in self.places[1:]:
                place.empty()
            return whole, whole
        now = engine.simulate(model, data, plan, self._progress(1, "Evaluating the plan"))
        self._show(1, "As cut", now.quality, whole.quality, now.by, _inexact(now))
        self._remember("none", now.quality, costs)
        self._recalibrated(plan, whole, costs)
        self._tuned(plan, whole, costs)
        return whole, now

    def _remember(self, recovery: str, found: Any, costs: tuple[float, float]) -> None:
        setting = self.workspace.setting
        self.workspace.tried(Point(self.choice, setting, recovery, *costs, found.value, found.low, found.high))

    def _recalibrated(self, plan: Plan, whole: engine.Simulated, costs: tuple[float, float]) -> None:
        model, data = self.workspace.model, self.workspace.data
        if not engine.has_batch_norm(model):
            with self.places[2].container(border=True, height="stretch"):
                st.caption("**Recalibrated** does not apply: this network has no batch norm with running statistics.")
            return
        found = engine.recalibrated(model, data, plan, self._progress(2, "Estimating batch-norm statistics"))
        self._remember("bn", found.quality, costs)
        note = f"Seconds of work, no training: it took {found.seconds:.1f} s."
        self._show(2, "Batch norms recalibrated", found.quality, whole.quality, "cut", note)

    def _tuned(self, plan: Plan, whole: engine.Simulated, costs: tuple[float, float]) -> None:
        """The last recovery stage is work for a process of its own; its result is found again with its plan."""
        workspace = self.workspace
        request = {"kind": "ladder", "spec": self._spec(plan)}
        kind = "tune " + hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:16]
        found = jobs.result(workspace, kind)
        with self.places[3].container(border=found is None, height="stretch"):
            if found is not None:
                self._tuned_fact(found, whole, costs)
            elif not jobs.under_way(workspace, kind):
                st.caption(f"**Fine-tuned**: {EPOCHS} epochs on the training data, in the background")
                st.button(
                    "Fine-tune",
                    icon=":material/model_training:",
                    on_click=jobs.start,
                    args=(workspace, kind, request, f"Fine-tune a plan for {workspace.model}"),
                )

    def _spec(self, plan: Plan) -> dict[str, Any]:
        remove = {name: list(units) for name, units in sorted(plan.remove.items())}
        spec = {"model": self.workspace.model, "data": self.workspace.data, "plan": remove}
        return {**spec, "recover": "finetune", "epochs": EPOCHS}

    def _tuned_fact(self, result: Mapping[str, Any], whole: engine.Simulated, costs: tuple[float, float]) -> None:
        found, metric = result["rungs"][-1], METRICS[self.task.metric]
        measured = headline({**found, "metric": self.task.metric})
        self._remember("finetune", measured, costs)
        _fact(
            f"Fine-tuned, {EPOCHS} epochs",
            metric,
            measured,
            whole.quality.value,
            "cut",
            f"On {measured.samples} validation {words.samples(self.task)}, which also chose the best epoch, so it is a "
            "little too good. The Recover page trains for longer and measures on the test split.",
        )

    def _show(
        self, place: int, title: str, found: engine.Found, base: engine.Found | None, by: str, note: str = ""
    ) -> None:
        metric = METRICS[self.task.metric]
        about = f"{metric.definition} On {found.samples} validation {words.samples(self.task)}. {note}"
        with self.places[place].container():
            _fact(title, metric, found, base.value if base else None, by, about)

    def _progress(self, place: int, message: str) -> Any:
        bar = self.places[place].progress(0.0, text=plain(f"{message}…"))
        return lambda fraction, said, **metrics: bar.progress(min(fraction, 1.0), text=plain(_so_far(message, metrics)))


def _so_far(message: str, metrics: Mapping[str, float]) -> str:
    found = next(((METRICS[key], value) for key, value in metrics.items() if key in METRICS), None)
    return f"{message}: {found[0].text(found[1])} so far" if found else f"{message}…"


def _fact(title: str, metric: Metric, found: Any, base: float | None, by: str, about: str) -> None:
    badge, colour, explained = BADGES[by]
    range_ = "" if found.low is None or found.high is None else metric.interval(found.low, found.high)
    note, detail = (range_, "") if base is None else (metric.difference(found.value - base), range_)
    with st.container(border=True, height="stretch", gap="xsmall"):
        frame.fact(title, metric.text(found.value), note, about, detail=detail, border=False)
        say.badge(badge, color=colour, help=plain(explained))


def _inexact(now: engine.Simulated) -> str:
    if now.by == "mask":
        return "A low number right after a cut is normal: recovery gives most of it back."
    return f"A mask would not be exact for {', '.join(now.inexact[:3])}, so a copy was cut."
