"""What is one too many, as the pages say it: one line, and everything else goes on."""

import pytest
from streamlit.testing.v1 import AppTest

from explorer.methods.spec import Spec
from explorer.runs.queue import desk as desks
from explorer.runs.queue.desk import Desk
from explorer.runs.queue.limits import Limits
from explorer.ui.parts import jobs
from explorer.ui.state import session
from explorer.ui.state.workspace import Workspaces
from tests.ui.pages import ROOT, button, visited

TASK = ("demo:resnet20-digits", "digits")


@pytest.fixture
def store(monkeypatch):
    """Room for two workspaces at one address."""
    store = Workspaces(Limits(workspaces=4))
    monkeypatch.setattr(session, "WORKSPACES", store)
    monkeypatch.setattr(session, "address", str)
    return store


def test_where_no_workspace_has_room_the_page_says_so_and_others_go_on(store):
    first, second = store.create(), store.create()
    for workspace in (first, second):
        workspace.adjust("conv1", 0.5)
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert not test.exception
    assert [error.value.partition(",")[0] for error in test.error] == ["2 workspaces from your address are in use"]
    assert not test.title
    other = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    other.query_params["w"] = first.token
    assert other.run().title
    assert store.get(second.token).budget == {"conv1": 0.5}


@pytest.mark.parametrize(
    ("limits", "before", "words"),
    [
        (Limits(own_waiting=1), 2, "1 runs are waiting already: cancel one"),
        (Limits(disk=0), 0, "the runs on this server take"),
    ],
)
def test_a_run_that_is_one_too_many_is_refused_with_one_line(store, tmp_path, monkeypatch, limits, before, words):
    class Silent:
        def send(self, message):
            pass

        def close(self, grace):
            pass

    monkeypatch.setattr(desks, "connect", lambda *place: Silent())
    space = store.create()
    space.choose(*TASK)
    desk = Desk(tmp_path, limits=limits)
    for _ in range(before):
        desk.submit(Spec(*TASK, keep={"macs": 0.5}, device="cpu"), space.token)
    for module in (jobs, session):
        monkeypatch.setattr(module, "DESK", desk)
    test = visited("recover", space)
    space.adjust("conv1", 0.5)
    button(test.run(), "Prune").click().run()
    desk.close()
    assert not test.exception
    assert [error.value for error in test.error if words in error.value]
    assert len(desk.jobs()) == before
