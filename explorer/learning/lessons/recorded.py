"""A recorded run: what was measured beforehand, with the command that measures it again."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from explorer.documents import Document, Number, checked
from explorer.learning.lessons.measuring import Measured
from explorer.reading import read_object

Point = Annotated[list[Number], Field(min_length=2, max_length=2)]
Label = Annotated[str, Field(min_length=1, max_length=60)]


class RecordedValue(Document):
    """A number, as `Measured` has it."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    label: Label
    value: Number
    unit: str
    low: Number | None = None
    high: Number | None = None
    about: str = ""
    parts: dict[str, Number] = Field(default_factory=dict)

    def measured(self) -> Measured:
        parts = tuple(self.parts.items())
        return Measured(self.name, self.label, self.value, self.unit, self.low, self.high, self.about, parts)


class RecordedLine(Document):
    """A line of a picture: points from left to right."""

    label: Label
    points: Annotated[list[Point], Field(min_length=2)]


class Axes(Document):
    """What a picture of lines shows along its axes."""

    x: Label
    y: Label


class Recording(Document):
    """What a run gave.

    Args:
        command: that measures it again.
        date: on which it was measured, as 2026-11-30.
        about: on what machine, which seeds, how often, in a sentence.
        values: its numbers.
        axes, lines: its curves, where it has some.
    """

    command: Annotated[str, Field(min_length=1)]
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    about: Annotated[str, Field(min_length=1, max_length=300)]
    values: list[RecordedValue]
    axes: Axes | None = None
    lines: list[RecordedLine] = Field(default_factory=list)

    def measured(self) -> tuple[Measured, ...]:
        return tuple(value.measured() for value in self.values)


def read_recording(path: Path) -> Recording:
    """A recorded run from its file.

    Raises:
        ExplorerError: it can't be read, or does not hold what was recorded.
    """
    document = read_object(path)
    checked(document, Recording, path)
    return Recording.model_validate(document)
