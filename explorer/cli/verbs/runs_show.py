"""``runs show``: everything that one run tells."""

import time
from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

from explorer.cli.console import Answer
from explorer.cli.kept_runs import add_run, records
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.progress import Report

if TYPE_CHECKING:
    from explorer.runs.history.comparison import Row
    from explorer.runs.history.finished import Finished
    from explorer.runs.history.lineage import RunRecord


def arguments(parser: ArgumentParser) -> None:
    add_run(parser)


@verb(
    "runs show",
    title="Show a run",
    explanation="Show one run: how it was made, what it reaches, and how that stands to its base.",
    arguments=arguments,
    rank=121,
)
def show_run(options: Options, report: Report) -> Answer:
    from explorer.runs.history.comparison import row
    from explorer.runs.history.doubts import doubts
    from explorer.runs.history.finding import find_run
    from explorer.runs.history.finished import read_finished

    run = find_run(options.run, *records(options))
    document: dict[str, Any] = run.to_json() | {"numbers": None, "doubts": [], "warnings": []}
    lines = _made(run)
    if run.state == "done":
        finished = read_finished(run.folder, run.name)
        numbers = row(finished)
        document |= {"numbers": numbers.to_json(), "doubts": doubts(finished)}
        document["warnings"] = list(finished.result.get("warnings", ()))
        lines += _reached(numbers, finished)
    return Answer(document, "\n".join(f"{head:<10} {text}" for head, text in lines if text))


def _made(run: "RunRecord") -> list[tuple[str, str]]:
    by = [run.method, run.criterion, f"recovery {run.recovery}"]
    return [
        ("name", f"{run.name} ({run.colour})"),
        ("id", run.id),
        ("state", f"{run.state}, {time.strftime('%Y-%m-%d %H:%M', time.localtime(run.created))}"),
        ("model", run.model),
        ("data", run.data),
        ("made by", ", ".join(filter(None, by))),
        ("folder", str(run.folder)),
        ("notes", run.notes),
    ]


def _reached(numbers: "Row", finished: "Finished") -> list[tuple[str, str]]:
    from explorer.runs.history.doubts import doubts
    from explorer.tasks import headline

    base, end = (headline(finished.result[stage]) for stage in ("base", "pruned"))
    kept = f"{numbers.macs_kept:.1%} of MACs, {numbers.params_kept:.1%} of parameters"
    zeros = "" if numbers.sparsity is None else f", {numbers.sparsity:.1%} of weights are zero"
    judged = "" if base is None or end is None else f"{end.metric.short} {end.text()}, before {base.text()}"
    paired, ratio = finished.paired, finished.ratio
    return [
        ("keeps", kept + zeros),
        ("reaches", judged),
        ("but", "; ".join(doubts(finished))),
        ("samples", "" if paired is None else paired.sentence(finished.samples)),
        ("latency", _latency(ratio)),
        *(("warning", warning) for warning in finished.result.get("warnings", ())),
    ]


def _latency(ratio: Any) -> str:
    if ratio is None:
        return "no ratio: made before its base was timed beside it"
    interval = f"{ratio['low']:.2f}–{ratio['high']:.2f}"
    return f"{ratio['ratio']:.2f} of its base ({interval}), batch of {ratio['batch']}, timed in turns"
