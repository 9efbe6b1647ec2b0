"""The kinds of questions that the short lane's worker answers, each a thin call of the engine."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explorer.errors import ExplorerError
from explorer.methods.checking import check
from explorer.methods.spec import Spec
from explorer.progress import Report
from explorer.registry import Entry, Registry
from explorer.sources.stamps import stamp_of


@dataclass(frozen=True, kw_only=True)
class QuestionKind(Entry):
    """A kind of question: ``{"kind": name, "spec": {…}, **extra}``; its answer is small and JSON.

    `function(spec, report)` gives it, `function(spec, request, report)` where there are extra keys. It depends on the
    request and on the files behind its refs alone: equal questions are answered once.

    Args:
        extra: the request's further keys.
    """

    extra: tuple[str, ...] = ()

    def check(self, request: Mapping[str, Any]) -> Spec:
        """The request's spec.

        Raises:
            ExplorerError: the request has unknown keys, or its spec is wrong.
        """
        for key in request:
            if key not in ("kind", "spec", *self.extra):
                raise ExplorerError(f"a question of kind {self.name!r} has no {key!r}: leave it out")
        spec = Spec.from_json(request.get("spec"))
        check(spec, removes=False)
        return spec

    def digest(self, spec: Spec, request: Mapping[str, Any]) -> str:
        """The same for two requests that have the same answer, as long as no file behind their refs changes."""
        beside = {key: request[key] for key in self.extra if key in request}
        known = [self.name, spec.to_json(), *([beside] if beside else []), files_behind(request)]
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()

    def __call__(self, request: Mapping[str, Any], report: Report) -> dict[str, Any]:
        """The answer to a request."""
        given = (request,) if self.extra else ()
        return self.function(self.check(request), *given, report)


def files_behind(request: Mapping[str, Any]) -> tuple[str, ...]:
    """What changes when a file behind the refs of a question does."""
    run = request.get("run")
    return tuple(map(stamp_of, (request["spec"]["model"], request["spec"]["data"], *([run] if run else []))))


QUESTIONS: Registry[QuestionKind] = Registry("kind of question", QuestionKind)


@QUESTIONS.register(
    "repair",
    title="Repair without training",
    explanation="What the spec's plan costs after least squares, or new batch-norm statistics where they can't help.",
)
def repair_question(spec: Spec, report: Report) -> dict[str, Any]:
    """A recovery stage's JSON with ``metric`` and ``answers``, see `explorer.runs.answering.repaired`."""
    from explorer.runs.answering import repaired

    return repaired(spec, report)


@QUESTIONS.register(
    "judge",
    title="Judge the plan",
    explanation="What the spec's plan reaches right after the cut, on the samples that plans are judged by.",
)
def judge_question(spec: Spec, report: Report) -> dict[str, Any]:
    """A recovery stage's JSON with ``metric`` and ``answers``, see `explorer.runs.answering.judged`."""
    from explorer.runs.answering import judged

    return judged(spec, report)


@QUESTIONS.register(
    "recover",
    title="Recover the plan",
    explanation="What the spec's plan reaches after the spec's recovery, one that does not train.",
)
def recover_question(spec: Spec, report: Report) -> dict[str, Any]:
    """A recovery stage's JSON with ``metric`` and ``answers``, see `explorer.runs.answering.recovered`."""
    from explorer.runs.answering import recovered

    return recovered(spec, report)


@QUESTIONS.register(
    "time",
    title="Time the plan",
    explanation="How long the spec's plan takes against the whole network, both timed in turns.",
)
def time_question(spec: Spec, report: Report) -> dict[str, Any]:
    """The JSON of a `LatencyRatio`, see `explorer.runs.answering.timed`."""
    from explorer.runs.answering import timed

    return timed(spec, report)


@QUESTIONS.register(
    "examine",
    title="Examine on test data",
    explanation="What the spec's plan, or a run, reaches on test data beside the whole network, and what it costs.",
    extra=("stages", "run", "timings", "samples"),
)
def examine_question(spec: Spec, request: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """See `explorer.runs.examining.examine`."""
    from explorer.runs.examining import Wanted, examine

    return examine(spec, Wanted.from_json(request), report)
