"""At most so many parameters."""

from explorer.learning.missions.amounts import at_most, count, rounded_up
from explorer.learning.missions.facts import Facts
from explorer.learning.missions.goal import Settings, Standing, goal_kind
from explorer.registry import Number


def says(settings: Settings, metric: str) -> str:
    return f"At most {count(settings['at_most'])} parameters".replace("  ", " ")


def propose(facts: Facts) -> Settings | None:
    return None if not facts.params else {"at_most": rounded_up(facts.params)}


def entered(metric: str) -> tuple[str, float, str]:
    return "at_most", 1e3, "k parameters"


@goal_kind(
    "params",
    title="Parameters",
    explanation="Numbers that training learns: weights, biases, normalisation scales.",
    settings={"at_most": Number(None, 1, 1e15, "parameters", whole=True)},
    says=says,
    propose=propose,
    entered=entered,
    cost="params",
    rank=20,
)
def params(settings: Settings, facts: Facts) -> Standing:
    text = "" if facts.params is None else count(facts.params).strip()
    return at_most("params", settings["at_most"], facts, text)
