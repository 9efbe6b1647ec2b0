"""Codes, nicknames, and how many codes may be tried."""

import pytest

from explorer.errors import ExplorerError
from explorer.learning.classes.codes import LETTERS, folded, is_key, new_code, new_key, read_code, read_nickname
from explorer.learning.classes.guard import Guard


def test_a_code_has_six_letters_that_nobody_takes_for_others():
    codes = {new_code() for _ in range(300)}
    assert len(codes) > 290
    assert all(len(code) == 6 and set(code) <= set("BCDFGHJKMNPRSTVWXZ") for code in codes)
    assert len(LETTERS) == 18


def test_a_code_is_read_as_it_is_typed():
    assert read_code(" bcd-fgh ") == read_code("B C D F G H") == "BCDFGH"
    for wrong in ("", "BCDFG", "BCDFGHJ", "BCDFGA", "BCDFG1", "<b>", "B" * 10**6):
        with pytest.raises(ExplorerError, match="it has 6 letters, as they stand on the board"):
            read_code(wrong)


@pytest.mark.parametrize(
    ("typed", "kept"), [("Ada", "Ada"), ("  Ada   L. ", "Ada L."), ("Zoë-2", "Zoë-2"), ("李", "李"), ("7up", "7up")]
)
def test_nicknames_keep_letters_and_numbers(typed, kept):
    assert read_nickname(typed) == kept


@pytest.mark.parametrize(
    "typed", ["", "   ", "=1+1", "-x", "<b>x</b>", "a\u202eb", "a\u200bb", "a`b", "a" * 25, "a;b", "x\x00"]
)
def test_what_could_do_harm_is_no_nickname(typed):
    with pytest.raises(ExplorerError):
        read_nickname(typed)


def test_nicknames_that_look_alike_are_one():
    assert folded("ADA") == folded("ada") == folded("Ａda")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def refused(guard: Guard, person: str, address: str) -> bool:
    try:
        guard.check(person, address)
    except ExplorerError:
        return True
    return False


def test_a_room_behind_one_address_gets_in_though_each_mistypes_once():
    guard = Guard(Clock())
    for number in range(30):
        guard.check(f"person {number}", "10.0.0.1")
        guard.wrong(f"person {number}", "10.0.0.1")
    assert not any(refused(guard, f"person {number}", "10.0.0.1") for number in range(30))


def test_one_person_waits_after_six_wrong_codes_and_nobody_else_does():
    clock = Clock()
    guard = Guard(clock)
    for _ in range(6):
        guard.check("eve", "10.0.0.1")
        guard.wrong("eve", "10.0.0.1")
    with pytest.raises(ExplorerError, match="wait 10 seconds"):
        guard.check("eve", "10.0.0.1")
    assert not refused(guard, "ada", "10.0.0.1")
    clock.now = 10.0
    assert not refused(guard, "eve", "10.0.0.1")


@pytest.mark.parametrize(("addresses", "a_minute"), [(1, 6), (40, 20)])
def test_guessing_for_half_an_hour_gets_nowhere(addresses, a_minute):
    """18⁶ codes take years at this pace, from however many addresses, with a new workspace each time."""
    clock, tried = Clock(), 0
    guard = Guard(clock)
    for second in range(0, 1800, 3):
        clock.now = float(second)
        for number in range(addresses):
            if not refused(guard, f"{second} {number}", f"address {number}"):
                guard.wrong(f"{second} {number}", f"address {number}")
                tried += 1
    free = 60 if addresses == 1 else 300
    assert tried <= free + 30 * a_minute + 1
    assert tried > 0.9 * (free + 30 * a_minute)


@pytest.mark.parametrize("unseen", ["\u3164", "Ada\u3164", "Ada\ufe0f", "Ada\u034f"])
def test_a_nickname_has_nothing_that_is_not_seen(unseen):
    with pytest.raises(ExplorerError, match="letter or number"):
        read_nickname(unseen)


def test_a_key_is_told_from_what_a_link_may_hold():
    assert is_key(new_key())
    assert not any(map(is_key, ("", "x; max-age=0", "k" * 5000, "\ud800" * 32)))
