"""What a prediction comes to beside what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from explorer.learning.lessons.lesson import Predict
from explorer.learning.lessons.measuring import Measured
from explorer.learning.lessons.truth import Truth, Value


@dataclass(frozen=True)
class Outcome:
    """How near a prediction was.

    Args:
        right: whether it was right, or near enough.
        said: what was so, in a sentence.
    """

    right: bool
    said: str


def outcome(truth: Truth, asked: Predict, answer: float, measured: Sequence[Measured]) -> Outcome:
    """A prediction beside the measured values."""
    found = {each.name: each for each in measured}
    if isinstance(truth, Value):
        value = found[truth.of]
        off = abs(answer - value.value)
        near = off <= truth.within
        return Outcome(near, f"Measured: {value.text()}. " + ("You were near." if near else f"You were {off:.0f} off."))
    option = truth.right(found)
    if option is None or asked.options is None:
        return Outcome(False, "What was measured answers no option.")
    right = option == answer
    return Outcome(right, "That is so." if right else f"So it is: {asked.options[option]}")
