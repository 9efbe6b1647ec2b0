"""Why a run's number says little: it must never look like success where the network only guesses."""

from collections.abc import Mapping
from typing import Any

from explorer.runs.history.finished import Finished
from explorer.tasks import Headline, headline

FEW = 100  # test samples, below which a 95 % interval spans some twenty points


def doubts(run: Finished) -> list[str]:
    """What is to be said beside a run's number, a few words each; none where it can be trusted."""
    found = headline(run.result["pruned"])
    if found is None:
        return ["not judged: no labels"]
    said = []
    if run.result.get("trained") is False:
        said.append("untrained: it guesses")
    elif at_chance(found, run.result):
        said.append("no better than chance")
    if found.samples < FEW:
        said.append(f"{found.samples} {run.samples}: too few to judge")
    return said


def at_chance(found: Headline, result: Mapping[str, Any]) -> bool:
    """Whether always giving the same answer, as far as the report tells what that gets, is within the interval."""
    chance = result.get("chance")
    return chance is not None and found.low is not None and found.low <= chance
