"""A shared queue: who was served least recently is next, and each owner's own come in order."""

import pytest

from explorer.runs.queue.turns import Turns


def turns(*items):
    found = Turns(lambda item: item[0])
    for item in items:
        found.add(item)
    return found


def taken(found):
    return [found.take() for _ in range(len(found))]


def test_owners_take_turns_however_much_one_of_them_asks_for():
    found = turns("a1", "a2", "a3", "b1", "c1", "b2")
    assert list(found) == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert taken(found) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_who_was_served_least_recently_is_next():
    found = turns("a1", "b1")
    assert taken(found) == ["a1", "b1"]
    for item in ("b2", "a2", "c1"):
        found.add(item)
    assert list(found) == taken(found) == ["c1", "a2", "b2"]


def test_what_was_cut_short_goes_first_and_costs_no_turn():
    found = turns("a1", "b1")
    found.add("c0", first=True)
    assert taken(found) == ["c0", "a1", "b1"]
    found.add("c1")
    found.add("a2")
    assert taken(found) == ["c1", "a2"]


def test_the_order_told_is_the_order_kept_while_others_are_taken_out():
    found = turns("a1", "a2", "b1", "c1")
    first, second = found.take(), "c1"
    found.remove(second)
    assert (first, list(found), second in found, len(found)) == ("a1", ["b1", "a2"], False, 2)
    assert taken(found) == ["b1", "a2"]
    with pytest.raises(StopIteration):
        found.take()
