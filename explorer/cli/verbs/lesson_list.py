"""``lesson list``: the lessons that there are."""

from explorer.cli.console import Answer, table
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.progress import Report


@verb("lesson list", title="List lessons", explanation="List the lessons with what they begin with.", rank=240)
def list_lessons(options: Options, report: Report) -> Answer:
    from explorer.learning.lessons.reading import lessons

    found = [
        {
            "name": lesson.name,
            "number": lesson.number,
            "title": lesson.title,
            "minutes": lesson.minutes,
            "cards": len(lesson.cards),
            "model": lesson.model,
            "data": lesson.data,
        }
        for lesson in lessons().values()
    ]
    return Answer({"lessons": found}, table(list(found[0]), [list(map(str, each.values())) for each in found]))
