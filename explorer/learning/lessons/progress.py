"""How far a person is in a lesson: a frozen record with JSON, and the steps from one to the next."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from pydantic import Field

from explorer.documents import Document, Number, checked
from explorer.learning.lessons.lesson import Lesson, Predict
from explorer.learning.lessons.measuring import Measured

Place = Annotated[int, Field(ge=0, le=100)]


class MeasuredDocument(Document):
    """A measured value, as `Measured.to_json` gives it."""

    name: str
    label: str
    value: Number
    unit: str
    low: Number | None
    high: Number | None
    about: str
    parts: list[list[Any]]


class ProgressDocument(Document):
    """Progress, as `Progress.to_json` gives it."""

    lesson: Annotated[str, Field(pattern=r"^[a-z0-9-]+$", max_length=100)]
    card: Place
    answers: dict[str, Number]
    done: list[Place]
    revealed: dict[str, list[MeasuredDocument]]
    finished: bool


@dataclass(frozen=True)
class Progress:
    """How far a person is.

    Args:
        lesson: its name.
        card: the place of the card in sight, from 0.
        answers: what was predicted, by the prediction's name: the place of an option from 0, or the slider's number.
        done: the places of the cards that were met: answered, done, seen measured.
        revealed: what reveals have measured, by the place of the card.
        finished: whether the end was reached.
    """

    lesson: str
    card: int = 0
    answers: Mapping[str, float] = field(default_factory=dict)
    done: frozenset[int] = frozenset()
    revealed: Mapping[int, tuple[Measured, ...]] = field(default_factory=dict)
    finished: bool = False

    def at(self, card: int) -> "Progress":
        """With another card in sight."""
        return replace(self, card=card)

    def answered(self, prediction: Predict, answer: float) -> "Progress":
        """With an answer to the prediction in sight.

        Raises:
            ValueError: it is no answer to that.
        """
        if not math.isfinite(answer) or not prediction.takes(answer):
            raise ValueError(f"{answer} is no answer to {prediction.name!r}")
        return replace(self, answers={**self.answers, prediction.name: answer}, done=self.done | {self.card})

    def did(self, card: int) -> "Progress":
        """With a card met."""
        return self if card in self.done else replace(self, done=self.done | {card})

    def saw(self, card: int, measured: Sequence[Measured]) -> "Progress":
        """With what a reveal has measured."""
        return replace(self, revealed={**self.revealed, card: tuple(measured)}, done=self.done | {card})

    def forgot(self, card: int) -> "Progress":
        """Without what a reveal has measured, so that it measures again."""
        return replace(self, revealed={place: found for place, found in self.revealed.items() if place != card})

    def ended(self) -> "Progress":
        """At the end."""
        return replace(self, finished=True)

    def to_json(self) -> dict[str, Any]:
        return {
            "lesson": self.lesson,
            "card": self.card,
            "answers": dict(self.answers),
            "done": sorted(self.done),
            "revealed": {str(place): [each.to_json() for each in found] for place, found in self.revealed.items()},
            "finished": self.finished,
        }

    @classmethod
    def from_json(cls, document: Any) -> "Progress":
        """The record that `to_json` wrote.

        Raises:
            DamagedError: it is none.
        """
        checked(document, ProgressDocument, "the progress of a lesson")
        revealed = {int(place): tuple(map(Measured.from_json, found)) for place, found in document["revealed"].items()}
        return cls(
            document["lesson"],
            document["card"],
            dict(document["answers"]),
            frozenset(document["done"]),
            revealed,
            document["finished"],
        )

    def fits(self, lesson: Lesson) -> bool:
        """Whether it is about this lesson as its file is now: another version may have had other cards."""
        places = {self.card, *self.done, *self.revealed}
        known = {card.name: card for card in lesson.cards if isinstance(card, Predict)}
        return (
            self.lesson == lesson.name
            and all(place < len(lesson.cards) for place in places)
            and all(name in known and known[name].takes(answer) for name, answer in self.answers.items())
        )
