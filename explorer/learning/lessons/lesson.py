"""A lesson: cards to predict, do, see and understand, as a file of ours describes it."""

import string
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from explorer.errors import ExplorerError
from explorer.learning.lessons.checking import Asked, asked
from explorer.learning.lessons.cuts import Cut, Written
from explorer.learning.lessons.measuring import MEASURES, Measure
from explorer.learning.lessons.recorded import Recording
from explorer.learning.lessons.truth import Fixed, Truth, Value

Words = Annotated[str, Field(min_length=1, max_length=360)]
Short = Annotated[str, Field(min_length=1, max_length=70)]
Answer = Annotated[str, Field(min_length=1, max_length=90)]
Name = Annotated[str, Field(pattern=r"[a-z][a-z0-9_]*")]
File = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
PICTURES = ("bars", "numbers", "classes", "layers", "lines")


class Paper(Written):
    """Where a card's claim can be read.

    Args:
        id: of the paper in the library: family name, year and first word of the title, as ``li2017pruning``.
        cite: authors, year and title.
        url: of the paper.
    """

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*$")]
    cite: Annotated[str, Field(min_length=1, max_length=200)]
    url: Annotated[str, Field(pattern=r"^https://")]


class Slider(Written):
    """A number to be guessed."""

    low: float
    high: float
    step: Annotated[float, Field(gt=0)] = 1.0
    unit: Annotated[str, Field(max_length=12)] = "%"

    @model_validator(mode="after")
    def _rises(self) -> "Slider":
        if self.low >= self.high:
            raise ValueError(f"a slider from {self.low:g} to {self.high:g} has no room: let low be below high")
        return self


class Card(Written):
    """What all cards have.

    Args:
        title: in a few words.
        text: what is to be known before, one sentence a line.
        model, data: what the card is about, and those after it; empty: as before.
    """

    title: Short
    text: Words
    model: str = ""
    data: str = ""


class Predict(Card):
    """A question to answer before anything is measured.

    Args:
        name: by which the reveal refers to it.
        question: the question.
        options: answers to choose from; or
        slider: a number to guess.
    """

    kind: Literal["predict"]
    name: Name
    question: Annotated[str, Field(min_length=1, max_length=160)]
    options: Annotated[list[Answer], Field(min_length=2, max_length=5)] | None = None
    slider: Slider | None = None

    @model_validator(mode="after")
    def _has_one(self) -> "Predict":
        if (self.options is None) == (self.slider is None):
            raise ValueError("a prediction has options or a slider: give it one of them")
        return self

    def said(self, answer: float) -> str:
        """An answer, as a person reads it."""
        if self.options is not None:
            return self.options[int(answer)]
        return f"{answer:g} {self.slider.unit}".strip() if self.slider else f"{answer:g}"

    def takes(self, answer: float) -> bool:
        """Whether it can be answered so."""
        if self.options is not None:
            return answer == int(answer) and 0 <= answer < len(self.options)
        return self.slider is not None and self.slider.low <= answer <= self.slider.high


class Setting(Cut):
    """What "do it for me" sets. Scores of the highest units can't leave on the board: `leave` stays "lowest".

    Args:
        train: starts the training of the strip for the cut.
        job: starts a job: its kind and what its spec says beside model and data.
    """

    leave: Literal["lowest"] = "lowest"
    train: bool = False
    job: dict[str, Any] | None = None

    @property
    def moves(self) -> bool:
        """Whether it changes the cut."""
        return bool(self.budget or self.count or self.blocks or self.macs is not None)

    @field_validator("job")
    @classmethod
    def _is_job(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is not None and not isinstance(value.get("kind"), str):
            raise ValueError('a job has a kind: { kind = "latency", spec = {} }')
        return value


class Do(Card):
    """Something to do on a page, which the program sees.

    Args:
        page: the name of the page where it is done.
        hint: how, for who does not find it.
        check: what is looked for, see `explorer.learning.lessons.checking`; None: going on is enough.
        set: what "do it for me" does; None: there is no such button.
        whole: begins with an empty board.
    """

    kind: Literal["do"]
    page: Name
    hint: Annotated[str, Field(max_length=240)] = ""
    check: dict[str, Any] | None = None
    set: Setting | None = None

    @field_validator("check")
    @classmethod
    def _is_check(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is not None:
            try:
                asked(value)
            except ExplorerError as error:
                raise ValueError(str(error)) from None
        return value

    @property
    def asked(self) -> Asked | None:
        return None if self.check is None else asked(self.check)


class Reveal(Card):
    """What is so, beside what was predicted.

    Args:
        of: the name of the prediction; empty: of none.
        measure: what is measured now; or
        record: the file of a recorded run.
        truth: which answer was right.
        picture: how it is shown.
        then: said once it is measured; ``{name}`` stands for a measured value.
        right, wrong: said then to who predicted so.
    """

    kind: Literal["reveal"]
    of: str = ""
    measure: list[Measure] = Field(default_factory=list)
    record: File | None = None
    truth: Truth | None = None
    picture: Literal["bars", "numbers", "classes", "layers", "lines"] = "bars"
    then: Annotated[str, Field(max_length=360)] = ""
    right: Annotated[str, Field(max_length=240)] = ""
    wrong: Annotated[str, Field(max_length=240)] = ""
    recording: Recording | None = Field(None, exclude=True)

    @model_validator(mode="after")
    def _holds_together(self) -> "Reveal":
        if bool(self.measure) == (self.record is not None):
            raise ValueError("a reveal measures or shows a record: give it one of them")
        names = [each.name for each in self.measure]
        if len(set(names)) < len(names):
            raise ValueError("two measures have the same name")
        if unknown := next((each.what for each in self.measure if each.what not in MEASURES), None):
            raise ValueError(f"there is no measure {unknown!r}: take one of {', '.join(MEASURES)}")
        if (self.truth is None) != (not self.of):
            raise ValueError("a reveal of a prediction has a truth, and one of none has none")
        return self

    @property
    def named(self) -> list[str]:
        """The names of all values that it shows."""
        if self.recording is not None:
            return [value.name for value in self.recording.values]
        return [each.name for each in self.measure]

    def check_names(self) -> None:
        """Refuses texts and a truth that name what is not measured.

        Raises:
            ValueError: one does.
        """
        used = list(self.truth.names) if self.truth is not None else []
        for text in (self.then, self.right, self.wrong):
            used += [field for _, field, _, _ in string.Formatter().parse(text) if field is not None]
        if missing := next((name for name in used if name not in self.named), None):
            raise ValueError(
                f"nothing that is shown is called {missing!r}: there is {', '.join(self.named) or 'nothing'}"
            )


class Why(Card):
    """Why it is so: a few sentences, a picture, a paper.

    Args:
        picture: a file of `assets/lessons/pictures`.
        alt: what the picture shows, for who can't see it.
        paper: where it can be read.
    """

    kind: Literal["why"]
    text: Annotated[str, Field(min_length=1, max_length=480)]
    picture: File | None = None
    alt: Annotated[str, Field(max_length=300)] = ""
    paper: Paper | None = None

    @model_validator(mode="after")
    def _is_told(self) -> "Why":
        if self.picture and not self.alt:
            raise ValueError("a picture has an alt text, which says what it shows")
        return self


AnyCard = Annotated[Predict | Do | Reveal | Why, Field(discriminator="kind")]


class Lesson(Written):
    """A lesson.

    Args:
        name: of its file, without the number and the ending; by it progress is kept.
        number: its place in the list; 0 is that of the look at the beginning, which is not listed.
        title, summary: what it is about.
        minutes: that it takes.
        model, data, criterion: what it begins with.
        card: its cards, in order.
    """

    name: str
    number: int
    title: Annotated[str, Field(min_length=1, max_length=60)]
    summary: Annotated[str, Field(min_length=1, max_length=200)]
    minutes: Annotated[int, Field(ge=1, le=15)]
    model: str
    data: str
    criterion: str = "flow"
    card: Annotated[list[AnyCard], Field(min_length=2, max_length=20)]

    @property
    def cards(self) -> list[Predict | Do | Reveal | Why]:
        return self.card

    def about(self, place: int) -> tuple[str, str]:
        """The model and data that a card is about, by its place from 0."""
        model, data = self.model, self.data
        for card in self.card[: place + 1]:
            model, data = card.model or model, card.data or data
        return model, data

    def prediction(self, name: str) -> Predict | None:
        """The prediction of a name."""
        return next((card for card in self.card if isinstance(card, Predict) and card.name == name), None)

    @model_validator(mode="after")
    def _holds_together(self) -> "Lesson":
        names = [card.name for card in self.card if isinstance(card, Predict)]
        if len(set(names)) < len(names):
            raise ValueError("two predictions have the same name")
        before: list[str] = []
        for card in self.card:
            if isinstance(card, Predict):
                before.append(card.name)
            elif isinstance(card, Reveal):
                card.check_names()
                self._check_reveal(card, before)
        return self

    def _check_reveal(self, card: Reveal, before: list[str]) -> None:
        """A reveal comes after its prediction, and its truth is of the prediction's sort."""
        if not card.of:
            return
        asked_for = self.prediction(card.of)
        if asked_for is None or card.of not in before:
            raise ValueError(f"the reveal {card.title!r} is of {card.of!r}, which no card before it predicts")
        if isinstance(card.truth, Value) != (asked_for.slider is not None):
            raise ValueError(f"the truth of {card.of!r} is a value for a slider, and an option for options")
        if isinstance(card.truth, Fixed) and asked_for.options and card.truth.option >= len(asked_for.options):
            raise ValueError(f"{card.of!r} has no option {card.truth.option}: the first is 0")
