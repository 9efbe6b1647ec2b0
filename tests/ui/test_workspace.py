"""Workspaces: undo, revisions, bounds, tokens."""

import threading

import pytest

from explorer.ui.state.workspace import HISTORY, JOBS, TOKEN, TRAIL, Choice, Point, Workspaces


@pytest.fixture
def workspace():
    return Workspaces().create()


def test_undo_and_redo_walk_through_what_was_set(workspace):
    workspace.adjust("a", 0.25)
    workspace.replace({"a": 0.5, "b": 0.5})
    workspace.adjust("b", 0.0)
    assert workspace.budget == {"a": 0.5}
    workspace.undo()
    assert workspace.budget == {"a": 0.5, "b": 0.5}
    workspace.undo()
    workspace.undo()
    assert workspace.budget == {}
    workspace.undo()
    assert workspace.budget == {}
    for _ in range(4):
        workspace.redo()
    assert workspace.budget == {"a": 0.5}


def test_a_new_change_forgets_what_was_undone(workspace):
    workspace.adjust("a", 0.25)
    workspace.undo()
    workspace.adjust("b", 0.5)
    workspace.redo()
    assert workspace.budget == {"b": 0.5}


def test_every_change_and_no_other_call_makes_a_version(workspace):
    seen = [workspace.version]
    for change in (
        lambda: workspace.adjust("a", 0.25),
        lambda: workspace.replace({"a": 0.5}),
        workspace.undo,
        workspace.redo,
        lambda: workspace.choose("demo:other", "digits"),
    ):
        change()
        assert workspace.version not in seen
        seen.append(workspace.version)
    workspace.replace({})
    workspace.undo()
    assert workspace.version == seen[-1]


def test_groups_that_stay_whole_are_not_in_the_budget(workspace):
    workspace.replace({"a": 0.0, "b": 0.5})
    assert workspace.budget == {"b": 0.5}


def test_every_model_keeps_its_own_budget(workspace):
    first = workspace.model
    workspace.adjust("a", 0.25)
    workspace.choose("demo:other", "digits")
    assert workspace.budget == {}
    workspace.choose(first, "digits")
    assert workspace.budget == {"a": 0.25}


def test_history_and_jobs_are_bounded(workspace):
    for step in range(HISTORY + 50):
        workspace.adjust("a", (step + 1) / 1000)
    assert len(workspace.draft.past) == HISTORY
    for step in range(JOBS + 5):
        workspace.remember(f"kind {step}", f"job {step}")
    workspace.remember("kind 10", "again")
    assert len(workspace.jobs) == JOBS
    assert workspace.jobs["kind 10"] == "again"
    assert "kind 0" not in workspace.jobs


def test_the_workspace_unused_for_longest_makes_room():
    store = Workspaces(limit=2)
    first, second = store.create(), store.create()
    assert store.get(first.token) is first
    third = store.create()
    assert store.get(second.token) is None
    assert store.get(first.token) is first
    assert store.get(third.token) is third


@pytest.mark.parametrize("token", [None, "", "short", "x" * 65, "../../../../etc/passwd-long", "Grüße" * 6])
def test_malformed_tokens_find_nothing(token):
    assert Workspaces().get(token) is None


def test_tokens_are_long_and_differ():
    store = Workspaces()
    tokens = {store.create().token for _ in range(50)}
    assert len(tokens) == 50
    assert all(TOKEN.fullmatch(token) and len(token) >= 32 for token in tokens)


def test_concurrent_changes_of_different_groups_all_arrive(workspace):
    names = [f"group {index}" for index in range(40)]
    threads = [threading.Thread(target=workspace.adjust, args=(name, 0.5)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert workspace.budget == dict.fromkeys(names, 0.5)


def point(choice: Choice, value: float, data: str = "digits") -> Point:
    return Point(choice, (data, "flow"), "none", 0.5, 0.6, value, None, None)


def test_what_a_board_commits_to_an_older_state_is_dropped(workspace):
    first = workspace.version
    workspace.take(Choice({"a": 0.25}, frozenset({"b"})), first)
    assert (workspace.budget, workspace.locked) == ({"a": 0.25}, {"b"})
    workspace.replace({"a": 0.5})
    assert workspace.locked == {"b"}
    workspace.take(Choice({"a": 0.75}), first)
    assert (workspace.budget, workspace.locked) == ({"a": 0.5}, {"b"})
    workspace.take(Choice({"a": 0.75}), workspace.version)
    assert (workspace.budget, workspace.locked) == ({"a": 0.75}, frozenset())
    workspace.undo()
    assert (workspace.budget, workspace.locked) == ({"a": 0.5}, {"b"})


def test_the_trail_has_each_point_once_per_setting_and_is_bounded(workspace):
    first, second = Choice({"a": 0.25}), Choice({"a": 0.5})
    for entry in (point(first, 0.9), point(second, 0.8), point(first, 0.7), point(first, 0.6, "shapes")):
        workspace.tried(entry)
    assert [(p.choice, p.value) for p in workspace.draft.trail] == [(second, 0.8), (first, 0.7), (first, 0.6)]
    for step in range(TRAIL + 10):
        workspace.tried(point(Choice({"a": (step + 1) / 1000}), 0.5))
    assert len(workspace.draft.trail) == TRAIL


def test_a_point_of_the_trail_can_be_returned_to_and_undone(workspace):
    workspace.adjust("a", 0.25)
    workspace.go_to(Choice({"b": 0.5}, frozenset({"a"})))
    assert (workspace.budget, workspace.locked) == ({"b": 0.5}, {"a"})
    workspace.undo()
    assert workspace.budget == {"a": 0.25}
