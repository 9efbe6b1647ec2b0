"""What of a student stays as it was: points once reached, and what was predicted before all saw what is so."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from explorer.learning.classes.overview import revealing
from explorer.learning.classes.records import Reached, Seen
from explorer.learning.lessons.lesson import Lesson, Predict

POINTS = 40  # of one student, that her teacher sees


def lasting(now: Seen, before: Seen, lesson: Lesson | None = None, opened: Collection[int] = ()) -> Seen:
    """What is kept of a student, whose workspace only knows what it is at.

    Args:
        now: what the workspace is at.
        before: what was kept of her last, in the same class.
        lesson: of the class. What she did in it stays in sight when she closes it or goes on to another one.
        opened: the places of the reveals that the teacher has opened: what they are about is answered for good.
    """
    reached = worth_keeping([*before.reached, *now.reached])
    if lesson is None:
        return replace(now, reached=reached)
    if now.lesson != lesson.name:
        if before.lesson != lesson.name:
            return replace(now, reached=reached)
        known = {name: getattr(before, name) for name in ("lesson", "card", "answers", "done", "finished")}
        return replace(now, reached=reached, **known)
    earlier = before.answers if before.lesson == lesson.name else {}
    settled = {card.name for card in lesson.cards if isinstance(card, Predict) and revealing(lesson, card) in opened}
    answers = {name: answer for name, answer in now.answers.items() if name not in settled}
    answers |= {name: answer for name, answer in earlier.items() if name in settled}
    return replace(now, reached=reached, answers=answers)


def worth_keeping(points: Iterable[Reached], most: int = POINTS) -> tuple[Reached, ...]:
    """At most so many points, each once, oldest first: those that no other one beats stay, of the rest the latest.

    More of a metric may be better or worse: what nothing beats in either sense stays.
    """
    found = list(dict.fromkeys(points))
    if len(found) <= most:
        return tuple(found)
    edge = {point for sign in (1.0, -1.0) for point in _unbeaten(found, sign)}
    others = [point for point in found if point not in edge]
    kept = {*sorted(edge, key=lambda point: point.macs)[:most], *others[len(others) - max(0, most - len(edge)) :]}
    return tuple(point for point in found if point in kept)


def _unbeaten(points: Iterable[Reached], sign: float) -> list[Reached]:
    kept: list[Reached] = []
    for point in sorted(points, key=lambda point: (point.macs, -sign * point.value)):
        if not kept or sign * point.value > sign * kept[-1].value:
            kept.append(point)
    return kept
