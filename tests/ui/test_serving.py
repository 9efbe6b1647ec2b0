"""What the server of a class tells its teacher, and what it sets where nothing else is said."""

import os

import pytest

from explorer.runs.queue.lanes import YIELD
from explorer.runs.queue.limits import PAGES
from explorer.ui import room


@pytest.mark.parametrize(("own", "said"), [("10.0.0.7", "http://10.0.0.7:8600/class"), (None, "in no network")])
def test_the_address_for_the_board_is_one_that_the_room_reaches(monkeypatch, own, said):
    monkeypatch.setattr(room, "own_address", lambda: own)
    assert said in room.told(room.EVERYBODY, 8600)


def test_an_address_that_was_chosen_is_told_as_it_is(monkeypatch):
    monkeypatch.setattr(room, "own_address", lambda: "10.0.0.7")
    assert "http://192.168.1.5:8501/class" in room.told("192.168.1.5", 8501)


def test_it_is_said_who_may_do_what_before_anything_is_served(monkeypatch, capsys):
    served = []

    def launch(**options):
        served.append((options, capsys.readouterr().out, dict(os.environ)))

    monkeypatch.setattr(room, "launch", launch)
    monkeypatch.setattr(os, "environ", {PAGES: "12"})  # what the environment says stands
    room.serve(port=None, address=None, start=None)
    ((options, printed, environment),) = served
    assert options["address"] == room.EVERYBODY
    assert "everybody who can reach this address" in printed
    assert "nothing is encrypted" in printed
    assert (environment[PAGES], environment[YIELD], environment["OMP_NUM_THREADS"]) == ("12", "1", "1")
