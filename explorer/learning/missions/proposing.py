"""A mission out of where a board stands: goals that are just met there, which others then have to meet."""

from explorer.learning.missions.facts import Facts
from explorer.learning.missions.goal import GOALS, Goal


def proposals(facts: Facts) -> list[Goal]:
    """A goal of every kind that the facts tell something of; costs only where something is cut."""
    found = []
    for kind in GOALS.values():
        whole, now = facts.costs.get(kind.cost), getattr(facts, kind.cost) if kind.cost else None
        if kind.cost and (whole is None or now is None or now >= whole):
            continue
        settings = kind.propose(facts)
        if settings is not None:
            found.append(Goal.made(kind.name, **settings))
    return found
