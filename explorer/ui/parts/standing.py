"""Whether the network of a workspace knows anything of its data: one at chance must never look like success."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explorer.errors import ExplorerError
from explorer.methods import removes
from explorer.runs.history.doubts import FEW, at_chance
from explorer.tasks import TASK_KINDS, Metric, Task, by_chance, headline
from explorer.tasks.tools.task_kind import DEFAULT_KIND
from explorer.ui import engine
from explorer.ui.parts import jobs
from explorer.ui.state.workspace import Workspace


@dataclass(frozen=True)
class Doubt:
    """Why what a network answers is not to be trusted.

    Args:
        word: that, in a few words.
        why: the same in a sentence.
    """

    word: str
    why: str


def guessing(workspace: Workspace) -> Doubt | None:
    """What is to be said of the workspace's network on every page; None where it knows more, or that is not known."""
    try:
        opened = engine.opened(workspace.model)
        if not opened.model.trained:
            return Doubt("untrained: it guesses", "Its weights are random: no cut, and no score, means anything yet.")
        task = engine.task(workspace.data, opened.model)
        outcome = measured(workspace, task) if task.measured else None
        found = headline(outcome) if outcome else None
        clause = by_chance(found, task) if found else None
    except ExplorerError:  # the page itself says that it can't be opened, or does not fit
        return None
    return Doubt("no better than chance", f"{clause}.") if clause else None


TOO_WIDE = 0.15  # of a 95 % interval of a share, from which it tells next to nothing


def too_few(found: Any, metric: Metric) -> Doubt | None:
    """What is to be said where a metric was measured on too few samples to tell good from bad; None where it can."""
    if not metric.share or found.low is None or found.high is None or found.high - found.low <= TOO_WIDE:
        return None
    return Doubt(
        f"{found.samples:,} samples: too few to judge",
        f"With {found.samples:,} samples the true value may lie anywhere from {found.low:.0%} to {found.high:.0%}.",
    )


@dataclass(frozen=True)
class Ended:
    """How the result of a run is to be read.

    Args:
        samples: what it was measured on, in words: "test images".
        guess: why it says nothing of the cut, in a sentence; None where it may be trusted.
    """

    samples: str
    guess: str | None


def ended(result: Mapping[str, Any]) -> Ended:
    """How a finished run's result is to be read, by its report alone: at chance, or untrained before, is no success."""
    kind, found = TASK_KINDS.declared().get(result.get("kind", DEFAULT_KIND)), headline(result["pruned"])
    samples = f"test {kind.samples if kind is not None else 'samples'}"
    if found is not None and found.samples < FEW:
        few = f"So few samples can't tell a good network from a bad one: it takes {FEW} at least."
        return Ended("test sample" if found.samples == 1 else "test samples", few)
    if found is not None and at_chance(found, result):
        share = found.metric.text(result["chance"])
        always = f"{found.text()} on test data is no better than always giving the same answer, {share}"
        return Ended(samples, f"It guesses: {always}.")
    if result.get("trained") is False and removes(result["spec"]["method"]):
        return Ended(samples, "The network was untrained before the cut, so this says nothing of what a cut costs.")
    return Ended(samples, None)


def measured(workspace: Workspace, task: Task) -> dict[str, Any] | None:
    """What the network reaches on the test data, with its metric's name; None while a large one is not measured."""
    if engine.test_is_quick(workspace.model, task):
        found = engine.base_quality(workspace.model, workspace.data).to_json()
    else:
        found = jobs.result(workspace, jobs.evaluation(workspace))
    return found and {**found, "metric": task.metric}
