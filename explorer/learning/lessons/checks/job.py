"""A job has ended well: a run, a training, a measurement."""

from typing import Annotated

from pydantic import Field

from explorer.learning.lessons.checking import Verdict, check
from explorer.learning.lessons.cuts import Written
from explorer.learning.lessons.situation import Situation


class Wanted(Written):
    """Args:
    kinds: kinds of jobs, one of which will do: prune, ladder, sensitivity, latency, agreement, search, …
    spec: what its spec must say, for instance ``{ method = "ifap" }``; a list means one of these.
    any_model: whether it may be about another network than the one that is open.
    """

    kinds: Annotated[list[str], Field(min_length=1)]
    spec: dict[str, str | bool | int | float | list[str]] = Field(default_factory=dict)
    any_model: bool = False


@check(
    "job",
    title="A job has ended",
    explanation="A run, a training or a measurement of this workspace has ended well.",
    takes=Wanted,
    later=True,
    rank=110,
)
def job(situation: Situation, wanted: Wanted) -> Verdict:
    for done in situation.jobs():
        here = wanted.any_model or done.spec.get("model") == situation.model
        if (
            done.kind in wanted.kinds
            and here
            and all(_says(done.spec.get(key), value) for key, value in wanted.spec.items())
        ):
            return Verdict(True, "It has ended.")
    return Verdict(False, "It has not ended yet.")


def _says(value: object, wanted: object) -> bool:
    return value in wanted if isinstance(wanted, list) else value == wanted
