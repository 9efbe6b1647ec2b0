"""A crowd in the real server: everybody finds her own state, and nobody another's."""

import pytest

from tests.browser.app import running
from tests.crowd import crowd
from tests.tabs import in_own_loop

pytestmark = pytest.mark.slow


def test_twelve_people_at_once_never_meet(tmp_path):
    with running(tmp_path) as app:
        visits = in_own_loop(crowd(app.url, 12, seed=3))
    assert [(visit.mixed, visit.errors) for visit in visits] == [([], [])] * 12
    assert len({visit.token for visit in visits}) == 12
