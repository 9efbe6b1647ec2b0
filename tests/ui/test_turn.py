"""The lock of a page's computations: in order, and one at a time."""

import threading
import time

import pytest

from explorer.ui.turn import Turn


def test_threads_are_served_in_the_order_in_which_they_asked():
    turn, served, inside = Turn(), [], []

    def ask(number: int) -> None:
        with turn, turn:  # whoever has it may take it again
            inside.append(number)
            time.sleep(0.001)
            assert inside == [number]
            served.append(inside.pop())

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    with turn:
        for thread in threads:
            thread.start()
            time.sleep(0.01)  # until it waits
    for thread in threads:
        thread.join()
    assert served == list(range(20))


def test_it_is_handed_on_when_work_fails():
    turn = Turn()
    with pytest.raises(ZeroDivisionError), turn:
        _ = 1 / 0
    other = threading.Thread(target=turn.__enter__)
    other.start()
    other.join(10)
    assert not other.is_alive()
