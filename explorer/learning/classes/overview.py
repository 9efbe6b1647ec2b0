"""What a class has done, for its teacher: where everybody is, what was predicted, who reached what."""

import csv
import io
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from explorer.learning.classes.records import Reached, Student
from explorer.learning.lessons.lesson import Lesson, Predict, Reveal
from explorer.learning.missions.points import Point
from explorer.tasks import Metric

BARS = 10  # into which a slider's answers are sorted
HANDED = ("met", "goals", "macs", "params", "value", "low", "high", "tries")  # of what was handed in
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for a formula's beginning
HALF = 0.5  # of the MACs, at which the leaderboard compares


@dataclass(frozen=True)
class Gathered:
    """What a class has answered to one prediction.

    Args:
        card: its place in the lesson.
        reveal: the place of the card that shows what it was about; None where the lesson has none.
        labels: of the bars.
        counts: how many answered so, by the bar.
        answered, asked: of how many students.
    """

    card: int
    reveal: int | None
    question: str
    labels: tuple[str, ...]
    counts: tuple[int, ...]
    answered: int
    asked: int


def gathered(lesson: Lesson, students: Sequence[Student]) -> list[Gathered]:
    """The answers to every prediction of a lesson, in its order."""
    found = []
    for place, card in enumerate(lesson.cards):
        if not isinstance(card, Predict):
            continue
        answers = [student.seen.answers[card.name] for student in students if _answered(student, lesson, card)]
        labels = _labels(card)
        counts = [0] * len(labels)
        for answer in answers:
            counts[_bar(card, answer, len(labels))] += 1
        found.append(
            Gathered(place, revealing(lesson, card), card.question, labels, tuple(counts), len(answers), len(students))
        )
    return found


def revealing(lesson: Lesson, prediction: Predict) -> int | None:
    """The place of the card that shows what a prediction was about."""
    reveals = ((place, card) for place, card in enumerate(lesson.cards) if isinstance(card, Reveal))
    return next((place for place, card in reveals if card.of == prediction.name), None)


def _answered(student: Student, lesson: Lesson, card: Predict) -> bool:
    seen = student.seen
    return seen.lesson == lesson.name and card.name in seen.answers and card.takes(seen.answers[card.name])


def _labels(card: Predict) -> tuple[str, ...]:
    if card.options is not None:
        return tuple(card.options)
    unit = card.slider.unit
    return tuple(f"{low:g} to {high:g} {unit}".strip() for low, high in pairwise(_edges(card)))


def _edges(card: Predict) -> list[float]:
    slider = card.slider
    return [slider.low + (slider.high - slider.low) * bar / BARS for bar in range(BARS + 1)]


def _bar(card: Predict, answer: float, bars: int) -> int:
    if card.options is not None:
        return int(answer)
    slider = card.slider
    return min(bars - 1, int(bars * (answer - slider.low) / (slider.high - slider.low)))


@dataclass(frozen=True)
class Standing:
    """The best that a student has reached at no more than half of the MACs; None where nothing is there."""

    student: Student
    best: Reached | None


def standings(students: Iterable[Student], metric: Metric) -> list[Standing]:
    """Who reached most at no more than half of the MACs; equal ones in the order of the fewer MACs, then of joining."""
    found = []
    for student in students:
        within = [point for point in student.seen.reached if point.macs <= HALF]
        best = min(within, key=lambda point: (_rank(point, metric), point.macs), default=None)
        found.append(Standing(student, best))
    return sorted(found, key=_order(metric))


def _rank(point: Reached, metric: Metric) -> float:
    return -point.value if metric.higher_is_better else point.value


def _order(metric: Metric):
    def key(standing: Standing) -> tuple[bool, float, float, float]:
        best = standing.best
        rank = (_rank(best, metric), best.macs) if best else (0.0, 0.0)
        return (best is None, *rank, standing.student.joined)

    return key


def frontier(points: Iterable[tuple[str, Reached]], metric: Metric) -> list[tuple[str, Reached]]:
    """The points, with whose they are, that no other one beats: none has at most its MACs and is better; by MACs."""
    kept: list[tuple[str, Reached]] = []
    for who, point in sorted(points, key=lambda pair: (pair[1].macs, _rank(pair[1], metric))):
        if not kept or _rank(point, metric) < _rank(kept[-1][1], metric):
            kept.append((who, point))
    return kept


def table(
    students: Sequence[Student],
    lesson: Lesson | None,
    metric: Metric | None,
    handed: Mapping[str, Point] = MappingProxyType({}),
) -> str:
    """A class as CSV, a line for each student.

    Args:
        metric: what points tried are compared by; None where that is not known.
        handed: the best that was handed in for the class's mission, by the nickname.

    No cell is read as a formula: what begins as one does gets an apostrophe before it.
    """
    predictions = [card for card in lesson.cards if isinstance(card, Predict)] if lesson else []
    head = ["nickname", "joined", "changed", "model", "data", "macs_share", "lesson", "card", "cards_done", "finished"]
    head += [f"answer_{card.name}" for card in predictions]
    parts = ("value", "low", "high", "macs_share", "params_share", "after")
    head += ["work_started", *(f"best_{part}" for part in parts)]
    head += [f"mission_{part}" for part in HANDED]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*head, "state"])
    best = {each.student.nickname: each.best for each in standings(students, metric)} if metric else {}
    for student in students:
        seen, point = student.seen, best.get(student.nickname)
        row = [student.nickname, _when(student.joined), _when(student.changed), seen.model, seen.data, seen.macs]
        row += [seen.lesson, seen.card + 1 if seen.lesson else "", len(seen.done), int(seen.finished)]
        row += [_words(card, seen.answers.get(card.name)) for card in predictions]
        reached = (point.value, point.low, point.high, point.macs, point.params, point.recovery) if point else [""] * 6
        network = handed.get(student.nickname)
        judged = [getattr(network, part) if network else "" for part in HANDED]
        writer.writerow(map(_cell, [*row, student.work, *reached, *judged, seen.state]))
    return out.getvalue()


def _cell(value: object) -> object:
    """A cell that no spreadsheet computes: a ref, for one, may begin with any character. Numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _words(card: Predict, answer: float | None) -> str | float:
    if answer is None or not card.takes(answer):
        return ""
    return card.options[int(answer)] if card.options is not None else answer
