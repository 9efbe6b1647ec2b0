"""What plans reach, measured beside the work of a notebook: the latest plan counts, and nobody waits."""

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from explorer import mishaps
from explorer.errors import Cancelled, ExplorerError, one_line
from explorer.evaluation.live import Answer, Live
from explorer.progress import Report, paced
from explorer.pruning import Plan
from explorer.tasks import Metric

PAUSE = 0.1  # seconds between two words about how far it is
BY = {"mask": "simulated by a mask", "cut": "measured on a cut copy"}


@dataclass(frozen=True)
class Verdict:
    """What is said of a plan.

    Args:
        label: what was measured.
        value: of the network as the plan leaves it.
        interval: in which it lies with 95 % confidence, where that is known.
        change: against the whole network.
        note: on what, and how.
        fraction: how far a measurement is; None where none is under way.
        failed: whether there is no value because of an error, which `note` tells.
    """

    label: str
    value: str = ""
    interval: str = ""
    change: str = ""
    note: str = ""
    fraction: float | None = None
    failed: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Measure:
    """How a board's plans are judged.

    Args:
        live: opens what evaluates them; called once, in the thread that does.
        metric: the words of its values.
        samples: what it is measured on, for a person.
        sign: what turns its values, of which more is better, into those that a person knows: 1 or -1.
    """

    live: Callable[[], Live]
    metric: Metric
    samples: str
    sign: int = 1


class Judge:
    """Measures plans in a thread of its own, which ends when there is nothing to do.

    Args:
        measure: what it measures.
        tell: called with verdicts: as soon as a plan is asked for, then in that thread on the way and at its end.
    """

    def __init__(self, measure: Measure, tell: Callable[[Verdict], None]) -> None:
        self._measure, self._tell = measure, tell
        self._live: Live | None = None
        self._whole: Answer | None = None
        self._wanted: Plan | None = None
        self._last = Verdict(measure.metric.label, "…")
        self._lock, self._idle = threading.Lock(), threading.Event()
        self._idle.set()

    def ask(self, plan: Plan) -> None:
        """Measures this plan instead of any that was asked for before; returns at once."""
        self._tell(replace(self._last, fraction=0.0))
        with self._lock:
            self._wanted = plan
            if self._idle.is_set():
                self._idle.clear()
                threading.Thread(target=self._work, name="board", daemon=True).start()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the latest plan is measured; False where that takes longer than `timeout` seconds."""
        return self._idle.wait(timeout)

    def _work(self) -> None:
        try:
            while (plan := self._next()) is not None:
                verdict = self._answer(plan)
                if verdict and self._wanted is None:
                    self._last = verdict
                    self._tell(verdict)
        except BaseException:  # not even an answer can be told: the next plan begins anew
            self._idle.set()
            raise

    def _answer(self, plan: Plan) -> Verdict | None:
        """The verdict, or what went wrong; None where another plan came in between."""
        try:
            return self._judged(plan)
        except Cancelled:
            return None
        except ExplorerError as error:
            return self._failure(str(error))
        except Exception as error:  # also of the functions of a person's own task
            path = mishaps.kept(error, "a plan on the board of a notebook")
            trace = f"; its trace is in {path}" if path else ""
            return self._failure(f"the evaluation failed ({type(error).__name__}: {one_line(error)}){trace}")

    def _next(self) -> Plan | None:
        with self._lock:
            plan, self._wanted = self._wanted, None
            if plan is None:
                self._idle.set()
            return plan

    def _judged(self, plan: Plan) -> Verdict:
        metric, sign = self._measure.metric, self._measure.sign
        if self._live is None:
            self._tell(Verdict(metric.label, "…", note=f"reading {self._measure.samples}", fraction=0.0))
            self._live = self._measure.live()
        if self._whole is None:  # once, and for every plan: none that comes meanwhile ends it
            self._whole = self._live.evaluate(Plan(plan.base), self._progress("the whole network", None))
        whole = sign * self._whole.quality.value
        if plan.empty:
            return self._verdict(self._whole, whole, "", "whole network")
        found = self._live.evaluate(plan, self._progress("as set here", plan))
        value = sign * found.quality.value
        return self._verdict(
            found, value, metric.difference(value - whole), f"{metric.text(whole)} whole", BY[found.by]
        )

    def _verdict(self, answer: Answer, value: float, change: str, *notes: str) -> Verdict:
        metric, low, high = self._measure.metric, answer.quality.low, answer.quality.high
        interval = "" if low is None or high is None else metric.interval(low, high)
        first, *others = notes
        note = ", ".join([first, f"on {answer.quality.samples} {self._measure.samples}", *others])
        return Verdict(metric.label, metric.text(value), interval, change, note)

    def _progress(self, what: str, plan: Plan | None) -> Report:
        """Tells how far it is; where it is for one plan alone, another that is wanted ends it."""
        metric = self._measure.metric

        def tell(fraction: float, message: str, **metrics: float) -> None:
            so_far = f"{metric.text(metrics[metric.name])} so far" if metric.name in metrics else "…"
            self._tell(Verdict(metric.label, so_far, note=f"evaluating {what}", fraction=min(fraction, 1.0)))

        told = paced(tell, PAUSE)

        def report(fraction: float, message: str, **metrics: float) -> None:
            if plan is not None and self._wanted is not None:
                raise Cancelled
            told(fraction, message, **metrics)

        return report

    def _failure(self, line: str) -> Verdict:
        return Verdict(f"{self._measure.metric.label} is not measured", note=line, failed=True)
