"""Words of progress for a listener to whom each is work."""

import time

from explorer.progress import paced


def test_between_two_words_nothing_is_heard(monkeypatch):
    clock, heard = [100.0], []
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    report = paced(lambda fraction, message, **metrics: heard.append((clock[0], fraction, message, metrics)), 0.25)
    for step in range(9):
        clock[0] = 100 + step / 8
        report(step / 8, "going", loss=step)
    assert [moment for moment, *_ in heard] == [100.0, 100.25, 100.5, 100.75, 101.0]
    assert heard[1][1:] == (0.25, "going", {"loss": 2})


def test_a_listener_may_hear_nothing_of_what_is_over_at_once(monkeypatch):
    clock, heard = [100.0], []
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    report = paced(lambda fraction, message, **metrics: heard.append(fraction), 0.25, at_once=False)
    report(0.1, "going")
    clock[0] = 100.25
    report(0.2, "going")
    assert heard == [0.2]
