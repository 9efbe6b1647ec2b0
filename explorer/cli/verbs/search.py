"""``search``: the best plan for every target."""

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from explorer.cli.choices import names_of
from explorer.cli.console import Answer, table
from explorer.cli.options import (
    Options,
    add_data,
    add_model,
    add_scoring,
    add_timing,
    fractions,
    names,
    spec_from,
    whole,
)
from explorer.cli.verb import verb
from explorer.methods.studies.ways import AFTER, AFTERWARDS, COMPETING, PLAIN, SEARCHED, TARGETS, TRIES, WAYS
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    from explorer.budget.target import KINDS

    add_model(parser)
    add_data(parser)
    add_scoring(parser, required=False)
    parser.add_argument("--targets", type=fractions, metavar="T,T,…", help="fractions to keep (default: 0.9 to 0.2)")
    parser.add_argument("--cost", choices=KINDS, default="macs", help="what is kept of (default: macs)")
    parser.add_argument(
        "--ways",
        type=names,
        metavar="A,B,…",
        help=f"that propose plans, of {names_of(WAYS)} (default: {names_of(SEARCHED)})",
    )
    parser.add_argument(
        "--criteria",
        type=names,
        metavar="A,B,…",
        help=f"whose plans compete with those of the criterion (default: {names_of(COMPETING)})",
    )
    parser.add_argument(
        "--after", choices=tuple(AFTER), default="repair", help="what plans are judged after (default: repair)"
    )
    parser.add_argument(
        "--tries", type=whole, metavar="N", help=f"weightings that are judged for every target (default: {TRIES})"
    )
    parser.add_argument(
        "--compare", action="store_true", help="try every way and judge each plan on the test split, too, as a table"
    )
    parser.add_argument("--minimum", type=float, metavar="N", help="what every group keeps: a fraction, or units")
    parser.add_argument("--lock", action="append", default=[], metavar="GROUP", help="a group that stays whole")
    parser.add_argument("--round-to", type=whole, metavar="N", help="leave multiples of N channels, such as 8")
    add_timing(parser)
    parser.add_argument("--out", metavar="DIR", help="write the best plans there, for prune --plan")
    parser.add_argument("--figure", metavar="FILE.svg", help="draw the frontier there, as SVG or PNG")


@verb(
    "search",
    title="Search",
    explanation="Find the plan that loses least once it is repaired, for a path of targets.",
    arguments=arguments,
    rank=85,
)
def search(options: Options, report: Report) -> Answer:
    from explorer.bench import frontier
    from explorer.methods import check
    from explorer.methods.studies import best_plan
    from explorer.runs.found_plans import check_plans, write_plans

    spec = spec_from(options)
    check(spec, removes=False)
    out, figure = (None if text is None else Path(text) for text in (options.out, options.figure))
    if out is not None:
        check_plans(out)
    if figure is not None:
        frontier.check(figure)
    found = best_plan.search(
        spec,
        TARGETS if options.targets is None else options.targets,
        cost=options.cost,
        ways=options.ways or (tuple(WAYS if options.after == "repair" else PLAIN) if options.compare else None),
        criteria=COMPETING if options.criteria is None else options.criteria,
        after=options.after,
        tries=TRIES if options.tries is None else options.tries,
        test=options.compare,
        report=report,
    )
    written = [] if out is None else write_plans(found, out)
    if figure is not None:
        frontier.write(found, figure)
        written.append(figure)
    document = {**found.to_json(), "files": [str(path) for path in written]}
    return Answer(document, _text(document, compared=options.compare))


def _text(document: Mapping[str, Any], *, compared: bool) -> str:
    """The best plan of every target; or every plan of every way, with what it reaches on the test split."""
    from explorer.tasks import metric_of

    short = metric_of(document).short
    places = [-1, *(range(len(document["tried"])) if compared else document["best"])]
    best, beaten = document["best"], set(document["best"]) - set(document["frontier"])
    notes = {**dict.fromkeys(best, "best" if compared else ""), **dict.fromkeys(beaten, "a cheaper one is as good")}
    rows = [_row(document, place, notes.get(place, "")) for place in places]
    heads = ["keep", "way", "units by", "MACs", "parameters", *(["ms"] if document["cost"] == "latency" else [])]
    heads += [
        f"validation {short}, {AFTERWARDS[document['after']]}",
        "loss",
        *([f"test {short}", "test loss"] if compared else []),
        "",
    ]
    judged = f"{len(document['tried'])} plans in {document['seconds']:.0f} s"
    notes_below = [f"note: {warning}" for warning in document["warnings"]]
    files = [f"written: {', '.join(document['files'])}"] if document["files"] else []
    return "\n\n".join([table(heads, rows), judged, *files, *notes_below])


def _row(document: Mapping[str, Any], place: int, note: str) -> list[str]:
    from explorer.cli.measurements import quality
    from explorer.tasks import metric_of

    tried, whole = document["whole"] if place < 0 else document["tried"][place], document["whole"]
    costs = [f"{tried[kind] / whole[kind]:.1%}" for kind in ("macs", "params")]
    times = [] if document["cost"] != "latency" else [_ms(tried["latency_ms"])]
    metric = metric_of(document)
    test = tried["test"]
    tests = [] if test is None else [metric.text(test[metric.name]), f"{test['loss']:.3f}"]
    keep = "" if place < 0 else f"{document['cost']}={tried['target']:g}"
    said = quality(tried | {"metric": document["metric"]})
    return [
        keep,
        tried["way"],
        "" if place < 0 else tried["criterion"],
        *costs,
        *times,
        said,
        f"{tried['loss']:.3f}",
        *tests,
        note,
    ]


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
