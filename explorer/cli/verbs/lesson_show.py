"""``lesson show``: a lesson to read."""

from argparse import ArgumentParser
from typing import TYPE_CHECKING

from explorer.cli.console import Answer
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.progress import Report

if TYPE_CHECKING:
    from explorer.learning.lessons.lesson import Do, Predict, Reveal, Why


def arguments(parser: ArgumentParser) -> None:
    add_lesson(parser)


def add_lesson(parser: ArgumentParser) -> None:
    """The lesson that a verb is about."""
    parser.add_argument("lesson", metavar="NAME", help="a lesson, as lesson list names it, or the file of one")


@verb("lesson show", title="Show a lesson", explanation="Show the cards of a lesson.", arguments=arguments, rank=241)
def show_lesson(options: Options, report: Report) -> Answer:
    from explorer.learning.lessons.reading import open_lesson

    lesson = open_lesson(options.lesson)
    head = f"{lesson.title}, {lesson.minutes} minutes, {lesson.model} on {lesson.data}\n{lesson.summary}"
    cards = [_told(place, card) for place, card in enumerate(lesson.cards, 1)]
    return Answer(lesson.model_dump(mode="json"), "\n\n".join([head, *cards]))


def _told(place: int, card: "Predict | Do | Reveal | Why") -> str:
    from explorer.learning.lessons.lesson import Predict

    lines = [f"{place}. {card.kind}: {card.title}", *card.text.strip().splitlines()]
    if isinstance(card, Predict):
        lines.append(card.question)
        lines += [f"- {option}" for option in card.options or ()]
    return "\n   ".join(lines)
