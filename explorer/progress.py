"""How long work tells how far it is, and how it hears that it should stop."""

import time
from typing import Protocol


class Report(Protocol):
    """Receives progress. Long work calls it at least once per batch.

    `fraction` runs from 0 to 1 over the whole of the callee's own work, `message` is a short
    phrase for a person, `metrics` are numbers worth drawing (``loss=0.3, top1=0.91``).
    An implementation raises `explorer.errors.Cancelled` to stop the work.
    """

    def __call__(self, fraction: float, message: str, **metrics: float) -> None: ...


def silent(fraction: float, message: str, **metrics: float) -> None:
    """A report that nobody reads."""


def part(report: Report, start: float, stop: float) -> Report:
    """The report for a stage that is the stretch from `start` to `stop` of its caller's work."""

    def staged(fraction: float, message: str, **metrics: float) -> None:
        report(start + (stop - start) * fraction, message, **metrics)

    return staged


def paced(report: Report, seconds: float, *, at_once: bool = True) -> Report:
    """The report for a listener to whom each word is work: it hears one in so many seconds, and none between.

    Args:
        at_once: whether it hears the first word; else none before so many seconds.
    """
    last = float("-inf") if at_once else time.monotonic()

    def told(fraction: float, message: str, **metrics: float) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            report(fraction, message, **metrics)

    return told
