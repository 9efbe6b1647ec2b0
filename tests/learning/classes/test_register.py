"""Classes as the server keeps them."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from explorer.errors import ExplorerError
from explorer.learning.classes.records import MEASURING, Allowed, Reached, Seen
from explorer.learning.classes.register import STUDENTS, Register

MODEL, DATA = "demo:resnet20-digits", "digits"


@pytest.fixture
def register(tmp_path):
    return Register(tmp_path)


def opened(register, **settings):
    return register.open("Period 3", MODEL, DATA, **settings)


def test_a_class_is_there_again_after_a_restart(register, tmp_path):
    room, key = opened(register, lesson="cliff", allowed=Allowed((MEASURING,), 2, 30), held=False)
    student = register.join(room.code, "Ada", "a" * 32)
    seen = Seen(
        MODEL, DATA, "state", 0.5, "cliff", 3, {"fall": 2.0}, (0, 1), False, (Reached(0.5, 0.4, 0.9, 0.8, 1.0, "bn"),)
    )
    register.note("a" * 32, seen)
    register.reveal(room.code, "cliff", 4)
    again = Register(tmp_path)
    assert again.of_code(room.code) == again.of_key(key) == room
    assert again.of_workspace("a" * 32).seen == seen
    assert [each.nickname for each in again.students(room.code)] == [student.nickname]
    assert again.revealed(room.code, "cliff") == {4}


def test_the_code_gives_no_right_and_the_file_tells_no_key(register, tmp_path):
    room, key = opened(register)
    assert register.of_key(room.code) is None
    assert register.of_code(key) is None
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert room.code.encode() in stored
    assert key.encode() not in stored


def test_a_nickname_is_unique_in_its_class_alone(register):
    first, second = opened(register)[0], opened(register)[0]
    register.join(first.code, "Ada", "a" * 32)
    register.join(second.code, "Ada", "b" * 32)
    with pytest.raises(ExplorerError, match="'ADA' is in this class already"):
        register.join(first.code, "ADA", "c" * 32)


def test_who_was_taken_out_may_come_again_and_who_joins_elsewhere_leaves(register):
    first, second = opened(register)[0], opened(register)[0]
    register.join(first.code, "Ada", "a" * 32)
    register.remove(first.code, "ada")
    assert register.students(first.code) == []
    register.join(first.code, "Ada", "a" * 32)
    register.join(second.code, "Ada", "a" * 32)
    assert register.students(first.code) == []
    assert register.of_workspace("a" * 32).code == second.code


def test_thirty_come_at_once(register):
    code = opened(register)[0].code
    with ThreadPoolExecutor(30) as pool:
        list(pool.map(lambda number: register.join(code, f"Student {number}", f"{number:032}"), range(30)))
    assert len(register.students(code)) == 30


def test_of_two_with_one_name_one_gets_in(register):
    code = opened(register)[0].code

    def joined(number):
        try:
            return register.join(code, "Ada", f"{number:032}")
        except ExplorerError:
            return None

    with ThreadPoolExecutor(8) as pool:
        assert sum(found is not None for found in pool.map(joined, range(8))) == 1


def test_a_class_is_full_and_one_that_is_gone_takes_nobody(register):
    code = opened(register)[0].code
    for number in range(STUDENTS):
        register.join(code, f"Student {number}", f"{number:032}")
    with pytest.raises(ExplorerError, match=f"{STUDENTS} students are in this class"):
        register.join(code, "One more", "x" * 32)
    register.delete(code)
    with pytest.raises(ExplorerError, match="closed meanwhile"):
        register.join(code, "Late", "y" * 32)


def test_nothing_is_left_of_a_class_that_was_deleted(register, tmp_path):
    room, key = opened(register, lesson="cliff")
    register.join(room.code, "Ada", "a" * 32)
    register.reveal(room.code, "cliff", 1)
    register.delete(room.code)
    assert register.of_key(key) is None
    assert register.of_workspace("a" * 32) is None
    with sqlite3.connect(tmp_path / "learning.sqlite") as connection:
        for table in ("classes", "students", "class_reveals"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_work_is_counted_up_to_what_is_allowed(register):
    code = opened(register)[0].code
    register.join(code, "Ada", "a" * 32)
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: register.worked("a" * 32, 3), range(8))) == 3
    register.gave_back("a" * 32)
    assert register.of_workspace("a" * 32).work == 2
    assert not register.worked("nobody", 3)


@pytest.mark.parametrize("title", ["", "   ", "x" * 81])
def test_a_class_has_a_title(register, title):
    with pytest.raises(ExplorerError, match="title"):
        register.open(title, MODEL, DATA)


@pytest.mark.parametrize("allowed", [{"tools": ("flying",)}, {"work": -1}, {"work": 51}, {"seconds": 7}])
def test_nothing_is_allowed_that_the_program_does_not_have(allowed):
    with pytest.raises(ExplorerError):
        Allowed(**allowed)


def test_what_another_version_kept_of_a_student_is_as_good_as_nothing():
    assert Seen.from_text('{"model": 1, "reached": [], "unknown": 2}') == Seen()
    assert Seen.from_text("no JSON") == Seen()
