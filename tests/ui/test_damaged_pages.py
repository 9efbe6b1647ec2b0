"""Pages over a folder of runs in which much is damaged: what is whole is shown, the rest is named and can go."""

import os
import shutil

import pytest

from explorer.runs.queue.desk import Desk
from explorer.ui.parts import jobs
from explorer.ui.state.workspace import WORKSPACES
from tests.runs import damage
from tests.ui.pages import button, desk_of, visited, words_of


@pytest.fixture(scope="module")
def ruined(tmp_path_factory):
    """A folder with two whole runs and many that are not, each in its own way; and the owner of all of them."""
    root, scratch = tmp_path_factory.mktemp("ruined"), tmp_path_factory.mktemp("scratch")
    owner = WORKSPACES.create().token
    whole = damage.job(root, owner=owner)
    damage.bundle(root / "whole", "whole")
    damage.job(scratch, owner=owner)
    number = 0
    for path in damage.documents(scratch):
        for said in damage.damages(path, 3, len(damage.FILES) + 8):
            number += 1
            if not said.endswith(("pipe", "loop", "huge")):  # which can't be copied
                shutil.copytree(scratch / damage.JOB, root / f"20260102-{number:06}-0123456789ab")
    return root, owner, whole.id


@pytest.mark.parametrize("page", ["runs", "recover", "take", "weights", "look"])
def test_pages_go_on_among_damaged_runs(ruined, page, monkeypatch):
    root, owner, id = ruined
    monkeypatch.setattr(Desk, "_advance", lambda desk, lane: None)
    with desk_of(root, monkeypatch):
        space = WORKSPACES.get(owner)
        space.remember(jobs.PRUNE, id)
        test = visited(page, space)
    assert not test.exception
    assert not test.error


def test_a_damaged_run_is_named_and_can_be_deleted(tmp_path, monkeypatch):
    space = WORKSPACES.create()
    damage.job(tmp_path, owner=space.token)
    broken = damage.JOB.replace("000000", "000001")
    damage.job(tmp_path, broken, owner=space.token)
    (tmp_path / broken / "bundle" / "report.json").write_text('{"base": 0}')
    with desk_of(tmp_path, monkeypatch):
        test = visited("runs", space)
        assert not test.exception
        assert "1 run can't be read" in [entry.label for entry in test.expander]
        assert any(broken in entry.value and "report.json" in entry.value for entry in test.text)
        assert len(test.multiselect(key="chosen runs").options) == 1
        button(test, "Delete it for good").click().run()
        assert not test.exception
        assert not test.error
        assert not [entry for entry in test.expander if "can't be read" in entry.label]
    assert damage.JOB in os.listdir(tmp_path)
    assert broken not in os.listdir(tmp_path)


def test_on_a_shared_server_nobody_sees_or_deletes_what_is_not_theirs(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_ROOTS", str(tmp_path / "none"))
    damage.job(tmp_path, owner="somebody-else")
    (tmp_path / damage.JOB / "job.json").write_text("{")
    with desk_of(tmp_path, monkeypatch):
        test = visited("runs", WORKSPACES.create())
        assert not test.exception
        assert damage.JOB not in words_of(test)
        assert not [entry for entry in test.expander if "can't be read" in entry.label]
