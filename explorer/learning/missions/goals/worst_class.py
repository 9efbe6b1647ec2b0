"""No class that loses more than so much."""

from math import ceil

import numpy as np

from explorer.learning.missions.facts import STAGES, Facts
from explorer.learning.missions.goal import Settings, Standing, goal_kind
from explorer.registry import Choice, Number


def says(settings: Settings, metric: str) -> str:
    after = settings["after"]
    stage = "" if after == "end" else f", {STAGES[after]}"
    return f"No class loses more than {100 * settings['at_most']:.3g} points{stage}"


def propose(facts: Facts) -> Settings | None:
    """Two points above what the worst class loses, as each has few samples."""
    lost = facts.losses()
    if lost is None or np.isnan(lost).all():
        return None
    return {"at_most": max(0.02, ceil(100 * float(np.nanmax(lost)) + 2) / 100)}


def entered(metric: str) -> tuple[str, float, str]:
    return "at_most", 0.01, "points"


@goal_kind(
    "worst-class",
    title="Worst class",
    explanation="How far the share of right answers of any one class falls below the whole network's.",
    settings={
        "at_most": Number(None, 0, 1, "loss of one class's accuracy, as a fraction: 0.05 is five points"),
        "after": Choice(
            "end", ("end", "none", "repair", "training"), "after which recovery: end is the network as handed in"
        ),
    },
    says=says,
    propose=propose,
    entered=entered,
    metered=True,
    rank=60,
)
def worst_class(settings: Settings, facts: Facts) -> Standing:
    """Both networks answer the same samples, so that only the networks differ; yet one of few samples is a lot."""
    lost = facts.losses(settings["after"])
    if lost is None or np.isnan(lost).all():
        return Standing(None)
    worst = int(np.nanargmax(lost))
    points = 100 * float(lost[worst])
    name = facts.classes[worst] if worst < len(facts.classes) else str(worst)
    text = f"{name} loses {points:.1f} points" if points > 0 else "none loses"
    few = f"each sample of {name} is {100 / facts.of_class[worst]:.0f} points" if facts.of_class[worst] < 50 else ""
    return Standing(float(lost[worst]) <= settings["at_most"] + 1e-12, text, few)
