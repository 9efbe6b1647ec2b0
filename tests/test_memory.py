"""What may be taken of memory, and what is kept within it."""

import threading
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from explorer import memory
from explorer.errors import ExplorerError
from explorer.memory import Kept, held
from explorer.sources import load_task

MEGABYTE = 2**20


@pytest.fixture
def ten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten megabytes for one thing."""
    monkeypatch.setenv(memory.SWITCH, "10M")


def array(megabytes: int) -> np.ndarray:
    return np.zeros(megabytes * MEGABYTE, np.uint8)


def test_as_much_is_kept_as_memory_allows(ten):
    kept, made = Kept(), []

    def get(name: str, megabytes: int) -> None:
        kept.get(name, lambda: made.append(name) or array(megabytes))

    for name in "abcabc":
        get(name, 3)
    assert made == ["a", "b", "c"]
    get("d", 3)  # in the place of a, which was asked for longest ago
    get("b", 3)
    get("a", 3)
    assert made == ["a", "b", "c", "d", "a"]
    get("large", 30)  # alone, and still kept
    get("large", 30)
    get("b", 3)
    assert made == ["a", "b", "c", "d", "a", "large", "b"]


def test_many_small_things_are_all_kept(ten):
    kept = Kept()
    first = [kept.get(number, object) for number in range(2000)]
    assert [kept.get(number, object) for number in range(2000)] == first


def test_one_makes_it_and_the_others_wait(ten):
    kept, made, begun = Kept(), [], threading.Barrier(20)

    def make() -> object:
        made.append(1)
        threading.Event().wait(0.05)  # so that all have asked
        return object()

    found: list[object] = []

    def ask() -> None:
        begun.wait()
        found.append(kept.get("model", make))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    assert len(set(map(id, found))) == 1


def test_what_fails_is_tried_again(ten):
    kept = Kept()
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 / 0)
    assert kept.get("a", lambda: 7) == 7


def test_bytes_that_are_held():
    @dataclass
    class Result:
        arrays: dict[str, np.ndarray]
        weights: nn.Module
        views: list[torch.Tensor]

    layer = nn.Linear(1024, 1024, bias=False)
    result = Result({"a": array(1), "b": array(2)}, layer, [layer.weight[:5], layer.weight.t()])
    assert 7 * MEGABYTE <= held([result, result]) < 7.1 * MEGABYTE
    assert held("x" * MEGABYTE) >= MEGABYTE


def test_data_is_made_once_for_everybody():
    assert load_task("shapes?n=300&seed=5") is load_task("shapes?n=300&seed=5")
    assert load_task("shapes?n=300&seed=5") is not load_task("shapes?n=300&seed=6")


@pytest.mark.parametrize("text", ["lots", "-3G", "1e9", "8GG", "nan"])
def test_no_amount_of_memory(monkeypatch, text):
    monkeypatch.setenv(memory.SWITCH, text)
    with pytest.raises(ExplorerError, match="write 8G or 500M"):
        memory.require(1, "this", "that")
