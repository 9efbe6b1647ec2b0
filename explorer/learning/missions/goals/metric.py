"""At least so much of the task's metric."""

from math import floor

from explorer.learning.missions.facts import STAGES, Facts
from explorer.learning.missions.goal import Settings, Standing, goal_kind
from explorer.registry import Choice, Number
from explorer.tasks import METRICS

_ROOM = 0.01  # below what a board's few samples say, as hidden data may well give a little less


def says(settings: Settings, metric: str) -> str:
    named, after = METRICS[metric], settings["after"]
    value = settings["at_least"]
    told = f"{100 * value:.3g}%" if named.share else f"{value:.3g}"
    stage = "" if after == "end" else f" {STAGES[after]}"
    bound = "least" if named.higher_is_better else "most"
    return f"{named.label} of at {bound} {told}{stage}"


def propose(facts: Facts) -> Settings | None:
    found = facts.reached()
    if found is None or not facts.measured_by.higher_is_better:
        return None
    return {"at_least": max(0.0, floor(100 * (found.value - _ROOM)) / 100)}


def entered(metric: str) -> tuple[str, float, str]:
    named = METRICS[metric]
    return ("at_least", 0.01, f"% {named.short}") if named.share else ("at_least", 1.0, named.short)


@goal_kind(
    "metric",
    title="Metric",
    explanation="What the network reaches on the hidden data, by the task's own metric: accuracy, for pictures.",
    settings={
        "at_least": Number(None, -1, 1e6, "the metric, a share as a fraction: 0.88 is 88 %; of an error, at most"),
        "after": Choice(
            "end", ("end", "none", "repair", "training"), "after which recovery: end is the network as handed in"
        ),
    },
    says=says,
    propose=propose,
    entered=entered,
    usual={"at_least": 0.9},
    metered=True,
    rank=50,
)
def metric(settings: Settings, facts: Facts) -> Standing:
    found, named = facts.reached(settings["after"]), facts.measured_by
    if found is None:
        return Standing(None)
    limit = settings["at_least"]
    met = not named.better(limit, found.value)
    close = found.low is not None and found.high is not None and found.low <= limit <= found.high
    return Standing(met, named.text(found.value), "too close to tell for certain" if close else "")
