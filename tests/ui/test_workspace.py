"""Workspaces: undo, revisions, bounds, tokens."""

import threading

import pytest

from explorer.board.choice import HISTORY, Choice
from explorer.errors import ExplorerError
from explorer.runs.queue.limits import Limits
from explorer.ui.state.workspace import JOBS, TOKEN, TRAIL, Point, Workspaces


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


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def kept(limit):
    """A store that tells the time by a clock of the test's, and what has left it."""
    clock, left = Clock(), []
    return Workspaces(Limits(workspaces=limit), left.append, clock), clock, left


def test_the_history_of_a_large_network_is_shorter(workspace):
    many = {f"group {number}": 0.5 for number in range(1000)}
    for step in range(HISTORY):
        workspace.replace({**many, "a": (step + 1) / 1000})
        workspace.tried(point(workspace.draft.now, 0.5))
    assert 10 <= len(workspace.draft.past) < 20
    assert 10 <= len(workspace.draft.trail) < 20
    workspace.undo()
    assert workspace.budget["a"] == (HISTORY - 1) / 1000
    huge = {f"group {number}": 0.5 for number in range(50_000)}
    workspace.replace(huge)
    workspace.replace({})
    workspace.undo()
    assert workspace.budget == huge


def test_who_has_done_nothing_makes_room_then_who_came_back_longest_ago():
    store, clock, left = kept(4)
    busy, first, second, third = (store.create(address) for address in "abcd")
    busy.adjust("a", 0.5)
    assert store.get(first.token) is first
    store.create("e")
    assert left == [second.token]
    first.adjust("a", 0.5)
    third.adjust("a", 0.5)
    store.create("f").adjust("a", 0.5)
    clock.now += 3600
    store.get(busy.token)
    store.create("g")
    assert left[2:] == [third.token]
    assert store.get(busy.token) is busy


def test_nobody_at_work_is_pushed_out():
    store, clock, left = kept(4)
    for address in "abcd":
        store.create(address).adjust("a", 0.5)
    with pytest.raises(ExplorerError, match=r"^4 workspaces on this server are in use.*EXPLORER_WORKSPACES to more$"):
        store.create("e")
    clock.now += 3600
    store.create("e")
    assert len(left) == 1


def test_one_address_fills_only_its_half():
    store, _, left = kept(100)
    others = [store.create("b") for _ in range(20)]
    for _ in range(2000):
        store.create("a")
    assert all(store.get(workspace.token) is workspace for workspace in others)
    for _ in range(50):
        store.create("c").adjust("a", 0.5)
    with pytest.raises(ExplorerError, match=r"^50 workspaces from your address are in use"):
        store.create("c")
    assert len(left) == len(set(left)) == 2000 + 20 - 50


def test_a_class_behind_one_router_has_room():
    store, address = Workspaces(Limits()), "10.0.0.1"
    spaces = [store.create(address) for _ in range(40 * 3)]
    for number, workspace in enumerate(spaces):
        workspace.adjust("a", (number + 1) / 1000)
    assert [store.get(workspace.token).budget["a"] for workspace in spaces] == [(n + 1) / 1000 for n in range(120)]


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
