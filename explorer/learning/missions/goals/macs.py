"""At most so many multiply-accumulates."""

from explorer.learning.missions.amounts import at_most, count, rounded_up
from explorer.learning.missions.facts import Facts
from explorer.learning.missions.goal import Settings, Standing, goal_kind
from explorer.registry import Number


def says(settings: Settings, metric: str) -> str:
    return f"At most {count(settings['at_most'])} MACs".replace("  ", " ")


def propose(facts: Facts) -> Settings | None:
    return None if not facts.macs else {"at_most": rounded_up(facts.macs)}


def entered(metric: str) -> tuple[str, float, str]:
    return "at_most", 1e6, "M MACs"


@goal_kind(
    "macs",
    title="MACs",
    explanation="Multiply-accumulates of one input, the work of a forward pass.",
    settings={"at_most": Number(None, 1, 1e15, "multiply-accumulates", whole=True)},
    says=says,
    propose=propose,
    entered=entered,
    cost="macs",
    rank=10,
)
def macs(settings: Settings, facts: Facts) -> Standing:
    text = "" if facts.macs is None else count(facts.macs).strip()
    return at_most("macs", settings["at_most"], facts, text)
