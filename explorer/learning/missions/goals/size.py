"""A file of weights of at most so many bytes."""

from explorer.learning.missions.amounts import at_most, rounded_up
from explorer.learning.missions.amounts import size as in_words
from explorer.learning.missions.facts import Facts
from explorer.learning.missions.goal import Settings, Standing, goal_kind
from explorer.registry import Number


def says(settings: Settings, metric: str) -> str:
    return f"A file of at most {in_words(settings['at_most'])}"


def propose(facts: Facts) -> Settings | None:
    return None if not facts.size else {"at_most": rounded_up(facts.size)}


def entered(metric: str) -> tuple[str, float, str]:
    return "at_most", 1e3, "kB"


@goal_kind(
    "size",
    title="File size",
    explanation="Bytes of the safetensors file that an export of the network writes.",
    settings={"at_most": Number(None, 1, 1e15, "bytes of the file of weights", whole=True)},
    says=says,
    propose=propose,
    entered=entered,
    cost="size",
    rank=30,
)
def size(settings: Settings, facts: Facts) -> Standing:
    return at_most("size", settings["at_most"], facts, "" if facts.size is None else in_words(facts.size))
