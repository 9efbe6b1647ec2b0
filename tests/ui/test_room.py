"""A class at work, as browsers talk to its server: nobody's state is mixed, no training waits longer than was shown."""

import pytest

from tests.browser.app import running
from tests.room import opened, play, waits, wrong
from tests.tabs import in_own_loop

pytestmark = pytest.mark.slow


def test_eight_students_and_their_teacher(tmp_path):
    with running(tmp_path, room=True) as app:
        room = opened(tmp_path)
        in_own_loop(play(app.url, room, 8, 40, seed=5, pause=(3.0, 6.0)))
        waited = waits(tmp_path)
    assert [(work.mixed, work.errors) for work in room.works] == [([], [])] * 8
    assert len({work.token for work in room.works}) == 8
    assert all(work.answers for work in room.works)
    assert wrong(room) == []
    assert room.stale  # the teacher has seen them change
    begun = {token: seconds for token, (_, seconds) in waited.items() if seconds is not None}
    assert set(waited) == {work.token for work in room.works}
    bounds = {work.token: work.bound + 1 for work in room.works}  # "at once" is within a second
    assert [token for token, seconds in begun.items() if seconds > bounds[token]] == []
