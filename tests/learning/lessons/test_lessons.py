"""The lesson engine: files are checked, checks look, truths choose, progress comes back as it was."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.board.choice import Choice
from explorer.criteria import Scores
from explorer.errors import ExplorerError
from explorer.learning.lessons.checking import CHECKS, asked
from explorer.learning.lessons.cuts import Cut, chosen
from explorer.learning.lessons.keeping import Kept
from explorer.learning.lessons.lesson import Lesson
from explorer.learning.lessons.measuring import MEASURES, Measure, Measured, measure_all
from explorer.learning.lessons.outcome import outcome
from explorer.learning.lessons.progress import Progress
from explorer.learning.lessons.reading import read_lesson
from explorer.learning.lessons.situation import Done, Judged, NotYetError, Situation, Timed, Tried
from explorer.learning.lessons.truth import Binned, Ranked, Value
from explorer.structure import analyse
from tests.nets import Residual, alive

LESSON = """
title = "A lesson"
summary = "It has one of each card."
minutes = 3
model = "net"
data = "samples"

[[card]]
kind = "predict"
name = "left"
title = "Guess"
text = "Half goes."
question = "What is left?"
slider = { low = 0, high = 100, step = 5, unit = "%" }

[[card]]
kind = "do"
page = "cut"
title = "Cut"
text = "Take half."
check = { kind = "removed", groups = ["kind:conv"], at_least = 0.5 }
set = { budget = { "kind:conv" = 0.5 } }

[[card]]
kind = "reveal"
of = "left"
title = "So it is"
text = "Measured."
measure = [{ name = "cut", label = "as cut" }]
truth = { rule = "value", of = "cut", within = 10 }
then = "It is {cut}."

[[card]]
kind = "why"
title = "Because"
text = "It is so."
"""


class Bench:
    """Answers by rule: what is left of the units of `conv` groups is what is right."""

    def __init__(self):
        self.found = analyse(alive(Residual), torch.randn(2, 3, 8, 8))
        self.later = False

    def structure(self, model):
        return self.found

    def scores(self, model, data, criterion, options):
        return Scores(
            criterion, 0.0, {name: np.arange(group.units, 0.0, -1) for name, group in self.found.groups.items()}
        )

    def shared_out(self, model, scores, macs, allocator, locked):
        return dict.fromkeys(self.found.groups, 1 - macs)

    def classes(self, model, data):
        return ("a", "b")

    def judge(self, model, data, plan, recovery):
        if self.later:
            raise NotYetError(0.5, "measuring")
        gone = sum(map(len, plan.remove.values()))
        labels = np.array([0, 0, 1, 1])
        answers = labels if not gone else np.array([0, 1, 1, 1])
        return Judged("top1", 1.0 if not gone else 0.75, 0.3, 1.0, 4, answers, labels)

    def time(self, model, plan, batch):
        return Timed(1.0, 2.0, 0.5, 0.4, 0.6, batch, 20)


@pytest.fixture(scope="module")
def bench():
    return Bench()


def standing(bench, **more):
    facts = {"model": "net", "data": "samples", "criterion": "flow", "options": {}, "choice": Choice(), "page": ""}
    return Situation(**{**facts, "bench": bench, **more})


def written(folder: Path, text: str = LESSON) -> Lesson:
    path = folder / "07-a-lesson.toml"
    path.write_text(text, encoding="utf-8")
    return read_lesson(path)


def test_a_file_becomes_a_lesson(tmp_path):
    lesson = written(tmp_path)
    assert (lesson.name, lesson.number, len(lesson.cards)) == ("a-lesson", 7, 4)
    assert lesson.about(3) == ("net", "samples")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"removed"', '"remoofed"', "did you mean removed"),
        ("at_least = 0.5", "at_least = 1.5", "at_least"),
        ('kind = "why"', 'kind = "wy"', "card.3"),
        ('of = "left"', 'of = "right"', "no card before it predicts"),
        ('rule = "value", of = "cut", within = 10', 'rule = "option", option = 0', "a value for a slider"),
        ("It is {cut}.", "It is {gone}.", "nothing that is shown is called 'gone'"),
        ('summary = "', 'sumary = "', "summary"),
        ('label = "as cut"', 'label = "as cut", what = "speed"', "no measure 'speed'"),
        ("minutes = 3", "minutes = ", "is no TOML"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(tmp_path, old, new, said):
    with pytest.raises(ExplorerError, match=said):
        written(tmp_path, LESSON.replace(old, new))


def test_patterns_name_groups(bench):
    names = [name for name, group in bench.found.groups.items() if group.kind == "conv"]
    assert chosen(bench.found, ["kind:conv"]) == names
    assert chosen(bench.found, [names[0]]) == names[:1]
    with pytest.raises(ExplorerError, match="unknown group"):
        chosen(bench.found, ["nowhere*"])


def half(bench):
    return Choice(dict.fromkeys(chosen(bench.found, ["kind:conv"]), 0.5))


@pytest.mark.parametrize(
    ("check", "before", "after"),
    [
        ({"kind": "removed", "groups": ["kind:conv"], "at_least": 0.5, "others_at_most": 0.0}, False, True),
        ({"kind": "removed", "groups": ["kind:conv"], "at_most": 0.25}, True, False),
        ({"kind": "count", "groups": ["kind:conv"], "at_least": 1, "alone": True}, False, True),
        ({"kind": "macs", "at_most": 0.99}, False, True),
        ({"kind": "width", "groups": ["kind:conv"], "multiple_of": 1}, True, True),
        ({"kind": "criterion", "other_than": ["flow"]}, False, False),
        ({"kind": "open", "model": "net"}, True, True),
        ({"kind": "visit", "page": "cut"}, False, True),
        ({"kind": "locked", "groups": ["kind:conv"]}, False, False),
        ({"kind": "blocks"}, False, False),
        ({"kind": "reached", "after": ["none"], "at_least": 0.5}, False, True),
        ({"kind": "reached", "after": ["none"], "at_least": 0.9}, False, False),
        ({"kind": "tried", "at_least": 1}, False, True),
        ({"kind": "tried", "at_least": 1, "criteria": 2}, False, False),
        ({"kind": "job", "kinds": ["prune"], "spec": {"method": ["ifap", "idap"]}}, False, True),
        ({"kind": "all", "of": [{"kind": "macs", "at_most": 0.99}, {"kind": "visit", "page": "cut"}]}, False, True),
        ({"kind": "any", "of": [{"kind": "visit", "page": "look"}, {"kind": "macs", "at_most": 0.99}]}, False, True),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_a_check_is_met_when_it_should_be(bench, check, before, after):
    choice = half(bench)
    points = (Tried(choice, "flow", "none", 0.7, 0.75),)
    jobs = (Done("prune", {"model": "net", "method": "ifap"}),)
    done = standing(bench, choice=choice, page="cut", tried=lambda: points, jobs=lambda: jobs)
    found = asked(check)
    assert found(standing(bench)).met == before
    assert found(done).met == after
    assert check["kind"] in CHECKS


def test_a_check_of_several_looks_later_where_one_of_them_does():
    quick, slow = {"kind": "visit", "page": "cut"}, {"kind": "job", "kinds": ["prune"]}
    assert not asked({"kind": "all", "of": [quick, quick]}).later
    assert asked({"kind": "any", "of": [quick, slow]}).later


@pytest.mark.parametrize(
    ("what", "value", "text"),
    [
        ("metric", 75.0, "75.0 %"),
        ("turned", 1.0, "1 answer"),
        ("lost", 1.0, "1 answer"),
        ("worst_class", 50.0, "50.0 points"),
        ("latency", 50.0, "50.0 %"),
    ],
)
def test_a_measure_measures(bench, what, value, text):
    cut = Cut(budget={"kind:conv": 0.5})
    standing_ = measure_all(
        [Measure(name="x", label="x", what=what, plan=cut)], standing(bench), "net", "samples", "flow"
    )
    (found,) = standing_.found
    assert (found.value, found.text()) == (value, text)
    assert what in MEASURES


def test_which_units_leave_goes_by_the_scores(bench):
    name, units = next((name, group.units) for name, group in bench.found.groups.items() if group.kind == "conv")
    low = Cut(count={name: 1}).plan(bench, "net", "samples", "flow")
    high = Cut(count={name: 1}, leave="highest").plan(bench, "net", "samples", "flow")
    assert (low.remove, high.remove) == ({name: (units - 1,)}, {name: (0,)})


def test_what_is_not_known_yet_is_waited_for_and_what_was_not_cut_is_said(bench):
    waiting = Bench()
    waiting.later = True
    whole = measure_all([Measure(name="x", label="x", plan="whole")], standing(waiting), "net", "samples", "flow")
    assert not whole.complete
    assert whole.waiting["x"].fraction == 0.5
    nothing = measure_all([Measure(name="x", label="x")], standing(bench), "net", "samples", "flow")
    assert "nothing is cut" in nothing.failed["x"]


def values(**numbers):
    return {name: Measured(name, name, value, "%", value - 2, value + 2) for name, value in numbers.items()}


def test_truths_choose_the_option_that_was_measured():
    found = values(a=10, b=50, c=52)
    assert Binned(rule="bins", of="b", edges=[30, 90]).right(found) == 1
    assert Binned(rule="bins", of="a", minus="b", edges=[-20, 0]).right(found) == 0
    assert Ranked(rule="smallest", of=["b", "a"]).right(found) == 1
    assert Ranked(rule="largest", of=["a", "b", "c"], tie=3).right(found) == 3
    assert Ranked(rule="largest", of=["a", "b", "c"]).right(found) == 2


def test_a_guess_is_near_or_off(tmp_path):
    prediction = written(tmp_path).prediction("left")
    truth = Value(rule="value", of="a", within=10)
    assert outcome(truth, prediction, 15, list(values(a=10).values())).right
    assert "40 off" in outcome(truth, prediction, 50, list(values(a=10).values())).said


def test_progress_comes_back_as_it_was(tmp_path):
    lesson = written(tmp_path)
    progress = Progress(lesson.name).answered(lesson.prediction("left"), 45.0).at(2)
    progress = progress.did(1).saw(2, [Measured("cut", "as cut", 75.0, "%", 30.0, 100.0, "of 4", (("a", -1.0),))])
    again = Progress.from_json(json.loads(json.dumps(progress.to_json())))
    assert again == progress
    assert again.fits(lesson)
    assert not again.at(9).fits(lesson)
    with pytest.raises(ValueError, match="no answer"):
        progress.answered(lesson.prediction("left"), 101.0)
    with pytest.raises(ExplorerError, match="damaged"):
        Progress.from_json({**progress.to_json(), "card": -1})


def test_a_server_keeps_the_open_lesson_and_all_that_were_begun(tmp_path):
    kept = Kept(tmp_path)
    kept.keep("token", Progress("one", 2), "net", "samples")
    kept.keep("token", Progress("two", 1), "net", "other")
    kept.keep("another", Progress("one"), "net", "samples")
    anew = Kept(tmp_path)
    assert anew.opened("token") == (Progress("two", 1), "net", "other")
    assert {name: progress.card for name, progress in anew.all("token").items()} == {"one": 2, "two": 1}
    anew.leave("token")
    assert anew.opened("token") is None
    assert anew.all("another") == {"one": Progress("one")}
