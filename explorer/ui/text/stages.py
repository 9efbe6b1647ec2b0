"""How the strip puts what was measured: a number with its interval, what it is told from, and how it was found."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from explorer.tasks import Metric
from explorer.ui.text import words
from explorer.ui.text.stage import Stage

EPOCHS = 3
WHOLE, CUT, REPAIRED, TRAINED = "whole", "cut", "repaired", "trained"
FIRST = {
    WHOLE: Stage(WHOLE, "whole"),
    CUT: Stage(CUT, "as cut"),
    REPAIRED: Stage(REPAIRED, "repaired", ", no training"),
    TRAINED: Stage(TRAINED, "trained", f" {EPOCHS} epochs"),
}
"""The stages as they are before anything is known of them, in order."""
BY = {
    "mask": "Simulated by a mask: the whole network with weights at zero, which gives the cut network's answers.",
    "cut": "Measured on a cut copy.",
}
REPAIRS = {
    "reconstruct": "Least squares: what reads the cut widths is solved again for the answers that it gave before.",
    "bn": "Batch-norm statistics estimated again on the cut network: least squares can't help here.",
    "none": "There is nothing that can be repaired without training.",
}


def whole(found: Any, metric: Metric) -> Stage:
    """The whole network; `found` has value, low, high and samples, as in all functions here."""
    return reached(FIRST[WHOLE], found, metric, metric.definition)


def as_cut(now: Any, base: Any, metric: Metric, by: str) -> Stage:
    """The plan right after the cut, told from the whole network's `base`."""
    change = metric.difference(now.value - base.value)
    edge = (base.low if metric.higher_is_better else base.high) or base.value
    lost = metric.better(edge, now.value)
    about = f"{change} against the whole network. {BY[by]}"
    if lost:
        about += " A low number right after a cut is normal: recovery often gives much of it back."
    return reached(replace(FIRST[CUT], tone="lost" if lost else ""), now, metric, about)


def repaired(result: Mapping[str, Any], found: Any, now: Any, metric: Metric) -> Stage:
    """After the repair, whose answer `result` is, told from what the plan reaches as cut."""
    about = " ".join(
        [
            f"{REPAIRS[result['recovery']]} It took {result['seconds']:.1f} s.",
            *map(words.sentence, result["warnings"]),
        ]
    )
    return _recovered(FIRST[REPAIRED], found, now, metric, about)


def trained(found: Any, now: Any, metric: Metric) -> Stage:
    """After the epochs of fine-tuning, told from what the plan reaches as cut."""
    about = (
        f"On all {found.samples:,} validation samples, which also chose the best epoch, so it is a little too good. "
        "Recover trains for longer and measures on test data."
    )
    return _recovered(FIRST[TRAINED], found, now, metric, about)


def _recovered(stage: Stage, found: Any, now: Any, metric: Metric, about: str) -> Stage:
    better = metric.better(found.value, now.value)
    return reached(replace(stage, tone="recovered" if better else ""), found, metric, about)


def reached(stage: Stage, found: Any, metric: Metric, about: str) -> Stage:
    """The stage with what was measured."""
    interval = "" if found.low is None or found.high is None else metric.interval(found.low, found.high)
    return replace(stage, value=metric.text(found.value), note=interval, about=about)
