"""``compare``: finished runs side by side."""

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from explorer.cli.console import Answer, table
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("folders", nargs="+", metavar="RUN_DIR", help="the --out folder of a prune command")


@verb(
    "compare",
    title="Compare",
    explanation="Set finished runs side by side: numbers, widths, shared channels.",
    arguments=arguments,
    rank=160,
)
def compare(options: Options, report: Report) -> Answer:
    from explorer.runs.history.comparison import compare
    from explorer.runs.history.finished import read_finished

    document = compare([read_finished(Path(folder)) for folder in dict.fromkeys(options.folders)]).to_json()
    return Answer(document, _text(document))


def _text(document: Mapping[str, Any]) -> str:
    """A line per run, the widths of every group, and what the plans have in common; see `history.comparison`."""
    from explorer.tasks import METRICS

    left = ["MACs kept", "params kept", "zeros"]
    heads = ["run", "method", "criterion", "recovery", *left, "test metric", "against base"]
    rows = []
    for run in document["runs"]:
        metric, measured = METRICS[run["metric"]], run["value"] is not None
        found = f"{metric.short} {metric.text(run['value'])}" if measured else None
        if measured and run["low"] is not None:
            found += f" ({metric.interval(run['low'], run['high'])})"
        change = metric.difference(run["change"]) if measured else None
        kept = [f"{run[f'{kind}_kept']:.1%}" for kind in ("macs", "params")]
        kept.append(None if run["sparsity"] is None else f"{run['sparsity']:.1%} of weights")
        rows.append([run["run"], run["method"], run["criterion"], run["recover"], *kept, found, change])
    names = [run["run"] for run in document["runs"] if run["sparsity"] is None]
    widths = [[g["name"], g["size"], *(g["kept"].get(name) for name in names)] for g in document["groups"]]
    parts = [table(heads, rows), *([table(["channels of", "whole", *names], widths)] if widths else [])]
    for pair in document["plans"]:
        first, second = pair["runs"]
        parts.append(f"{first} and {second}: {_overlap(pair)}")
    return "\n\n".join(parts)


def _overlap(pair: Mapping[str, Any]) -> str:
    if pair["overlap"] is None:
        return "neither removes a unit"
    return (
        f"{pair['both']} removed units are the same, {pair['first']} and {pair['second']} are not: an overlap of "
        f"{pair['overlap']:.0%}, by chance {pair['chance']:.0%}"
    )
