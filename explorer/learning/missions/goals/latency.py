"""At most a share of the whole network's time, both timed in turns."""

from math import ceil

from explorer.budget.latency_table import RUNTIMES
from explorer.learning.missions.facts import Facts
from explorer.learning.missions.goal import Settings, Standing, goal_kind
from explorer.registry import Choice, Number


def says(settings: Settings, metric: str) -> str:
    batch = "" if settings["batch"] == 1 else f", {settings['batch']} inputs at a time"
    return f"At most {settings['at_most']:.0%} of the milliseconds in {RUNTIMES[settings['runtime']]}{batch}"


def propose(facts: Facts) -> Settings | None:
    """A twentieth above what was timed: times of another minute or machine are never quite the same."""
    if not facts.timed:
        return None
    (runtime, batch), found = next(iter(facts.timed.items()))
    return {"at_most": min(1.0, ceil(100 * found.ratio * 1.05) / 100), "runtime": runtime, "batch": batch}


def entered(metric: str) -> tuple[str, float, str]:
    return "at_most", 0.01, "% of the milliseconds"


@goal_kind(
    "latency",
    title="Latency",
    explanation="Milliseconds of a forward pass over those of the whole network, timed in turns with it at the check.",
    settings={
        "at_most": Number(None, 0.01, 1, "share of the whole network's milliseconds"),
        "runtime": Choice("onnx", ("torch", "onnx"), "what runs both networks"),
        "batch": Number(1, 1, 64, "inputs at a time", whole=True),
    },
    says=says,
    propose=propose,
    entered=entered,
    usual={"at_most": 0.5},
    rank=40,
)
def latency(settings: Settings, facts: Facts) -> Standing:
    """Met by the ratio itself; where the limit lies inside its interval, that is said."""
    found = facts.timed.get((settings["runtime"], settings["batch"]))
    if found is None:
        return Standing(None, note="timed when you hand in")
    limit = settings["at_most"]
    share = 1.0 if limit >= 1 else min(1.0, max(0.0, (1 - found.ratio) / (1 - limit)))
    if found.low is None or found.high is None:
        return Standing(found.ratio <= limit, f"about {found.ratio:.0%}", "predicted from timed widths", share)
    close = "too close to tell for certain" if found.low <= limit <= found.high else ""
    return Standing(found.ratio <= limit, f"{found.ratio:.0%} ({found.low:.0%}–{found.high:.0%})", close, share)
