"""``lesson check``: everything that a machine can check of a lesson's file."""

from argparse import ArgumentParser

from explorer.cli.console import Answer
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.cli.verbs.lesson_show import add_lesson
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    add_lesson(parser)


@verb(
    "lesson check",
    title="Check a lesson",
    explanation="Play a lesson by its own buttons: do its states pass its checks, and what do its reveals measure?",
    arguments=arguments,
    rank=242,
)
def check_lesson(options: Options, report: Report) -> Answer:
    from explorer.learning.lessons.headless import DirectBench, checked_by_machine
    from explorer.learning.lessons.reading import open_lesson

    lesson = open_lesson(options.lesson)
    found = checked_by_machine(lesson, DirectBench(), report)
    document = {
        "name": lesson.name,
        "cards": len(lesson.cards),
        "measured": {str(place + 1): [each.to_json() for each in values] for place, values in found.measured.items()},
        "right": dict(found.right),
    }
    lines = [f"{lesson.title}: {len(lesson.cards)} cards, its states pass its checks, its reveals can be measured"]
    for place, values in found.measured.items():
        lines += [f"card {place + 1}: {each.label}: {each.text()} ({each.about or each.name})" for each in values]
    lines += [f"right answer to {name}: {said}" for name, said in found.right.items()]
    return Answer(document, "\n".join(lines))
