"""Source is parsed by several sessions at once."""

import gc
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from explorer import registry
from explorer.syntax import tree_of

SOURCE = Path(registry.__file__).read_text(encoding="utf-8")


@pytest.fixture
def busy():
    """An interpreter that changes threads as often as it can, also within a parse: whenever memory is collected."""

    def another_may_run(phase, info):
        for _ in range(20):
            pass

    usual = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(50)
    gc.callbacks.append(another_may_run)
    yield
    gc.callbacks.remove(another_may_run)
    gc.set_threshold(*usual[1])
    sys.setswitchinterval(usual[0])


def test_many_threads_parse_at_once(busy):
    with ThreadPoolExecutor(8) as threads:
        trees = list(threads.map(tree_of, [SOURCE] * 20))
    assert {len(tree.body) for tree in trees} == {len(trees[0].body)}
