"""A ref that a person may have meant."""

from dataclasses import dataclass

MODEL, DATA = "model", "data"


@dataclass(frozen=True)
class Candidate:
    """A ref that a person may have meant.

    Args:
        ref: of a model or of data; one that ends with ``#`` lacks the network that its weights belong to.
        title: for a person.
        why: what it is, in a clause.
        kind: `MODEL` or `DATA`.
        problem: why it can't be opened here; empty: nothing is known that would keep it from that.
    """

    ref: str
    title: str
    why: str
    kind: str
    problem: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing in the ref."""
        return not self.ref.endswith("#")
