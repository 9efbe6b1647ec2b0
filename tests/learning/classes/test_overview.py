"""What a teacher sees of a class, by hand."""

import csv
import io

from explorer.learning.classes.lasting import lasting, worth_keeping
from explorer.learning.classes.overview import frontier, gathered, standings, table
from explorer.learning.classes.records import Reached, Seen, Student
from explorer.learning.lessons.lesson import Lesson
from explorer.tasks import METRICS

ACCURACY = METRICS["accuracy"]
LESSON = Lesson.model_validate(
    {
        "name": "cliff",
        "number": 2,
        "title": "Cliff",
        "summary": "Falls.",
        "minutes": 8,
        "model": "demo:resnet20-digits",
        "data": "digits",
        "card": [
            {
                "kind": "predict",
                "name": "fall",
                "title": "Fall",
                "text": "x",
                "question": "Why?",
                "options": ["a", "b"],
            },
            {
                "kind": "predict",
                "name": "much",
                "title": "Much",
                "text": "x",
                "question": "How much?",
                "slider": {"low": 0, "high": 100, "step": 5},
            },
            {"kind": "do", "page": "cut", "title": "Do", "text": "x"},
        ],
    }
)


def student(name, joined=0.0, *, answers=None, reached=(), **more):
    told = Seen(model="m", lesson="cliff", answers=answers or {}, reached=tuple(reached), **more)
    return Student("BCDFGH", name, name, joined, joined, told)


def point(macs, value, recovery="none"):
    return Reached(macs, macs, value, value - 0.1, value + 0.1, recovery)


def test_answers_are_counted_and_what_is_none_is_left_out():
    room = [
        student("Ada", answers={"fall": 1.0, "much": 100.0}),
        student("Bea", answers={"fall": 1.0, "much": 9.0}),
        student("Cle", answers={"fall": 7.0}),
        Student("BCDFGH", "Dee", "d", 0.0, 0.0, Seen(lesson="another", answers={"fall": 0.0})),
    ]
    options, slider = gathered(LESSON, room)
    assert (options.labels, options.counts, options.answered, options.asked) == (("a", "b"), (0, 2), 2, 4)
    assert slider.counts == (1, 0, 0, 0, 0, 0, 0, 0, 0, 1)
    assert slider.labels[0] == "0 to 10 %"
    assert options.reveal is None


def test_the_leaderboard_is_of_those_at_half_of_the_macs():
    room = [
        student("Ada", 1.0, reached=[point(0.9, 0.99), point(0.5, 0.7)]),
        student("Bea", 2.0, reached=[point(0.4, 0.7)]),
        student("Cle", 3.0, reached=[point(0.6, 0.9)]),
    ]
    ranked = [(each.student.nickname, each.best and each.best.macs) for each in standings(room, ACCURACY)]
    assert ranked == [("Bea", 0.4), ("Ada", 0.5), ("Cle", None)]


def test_the_frontier_has_what_no_other_point_beats():
    points = [("a", point(0.5, 0.7)), ("b", point(0.5, 0.8)), ("c", point(0.6, 0.8)), ("d", point(0.9, 0.9))]
    assert [(who, each.macs) for who, each in frontier(points, ACCURACY)] == [("b", 0.5), ("d", 0.9)]


def test_the_table_has_a_line_for_each_and_says_answers_in_words():
    text = table([student("Ada, 7", 0.0, answers={"fall": 1.0}, reached=[point(0.5, 0.7)])], LESSON, ACCURACY)
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["nickname"] == "Ada, 7"
    assert row["joined"] == "1970-01-01T00:00:00Z"
    assert (row["answer_fall"], row["answer_much"]) == ("b", "")
    assert (row["best_value"], row["best_macs_share"], row["best_after"]) == ("0.7", "0.5", "none")


def test_no_cell_of_the_table_is_computed_and_numbers_stay_numbers():
    seen = Seen(model="=cmd|' /C calc'!A0", data="@x", lesson="cliff", answers={"much": 0.0})
    room = [Student("BCDFGH", "Ada", "w", 0.0, 0.0, seen)]
    (row,) = csv.DictReader(io.StringIO(table(room, LESSON, ACCURACY)))
    assert row["model"] == "'=cmd|' /C calc'!A0"
    assert row["data"] == "'@x"
    assert row["answer_much"] == "0.0"


def test_what_was_done_in_the_lesson_of_the_class_stays_when_it_is_closed():
    before = Seen(lesson="cliff", card=2, answers={"fall": 1.0}, done=(0, 1), finished=True, macs=0.5)
    for now in (Seen(macs=0.4), Seen(lesson="another", card=1, answers={"x": 0.0}, macs=0.4)):
        assert lasting(now, before, LESSON) == Seen(
            lesson="cliff", card=2, answers={"fall": 1.0}, done=(0, 1), finished=True, macs=0.4
        )
    assert lasting(Seen(lesson="another"), before).lesson == "another"  # a class without a lesson


def test_points_that_nothing_beats_stay_whichever_way_the_metric_goes():
    best, worst = point(0.1, 0.99), point(0.1, 0.01)
    others = [point(0.2 + number / 1000, 0.5) for number in range(60)]
    kept = worth_keeping([best, worst, *others, others[-1]], 10)
    assert len(kept) == 10
    assert {best, worst, others[-1]} <= set(kept)
