"""``agreement``: how far criteria rank alike."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from explorer.cli.console import Answer, table
from explorer.cli.options import Options, add_data, add_model, add_sampling, names, spec_from, whole
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    add_model(parser)
    add_data(parser)
    parser.add_argument("--criteria", type=names, required=True, metavar="A,B,…", help="for example flow,l2,taylor")
    add_sampling(parser)
    parser.add_argument("--oracle", action="store_true", help="measure what removing single units does, too")
    parser.add_argument("--units", type=whole, metavar="N", help="of every group, whose removal is measured")


@verb(
    "agreement",
    title="Agreement",
    explanation="See how far criteria rank alike, and who is near to the measured effect.",
    arguments=arguments,
    rank=60,
)
def agreement(options: Options, report: Report) -> Answer:
    from explorer.methods import check
    from explorer.methods.studies.agreement import UNITS, agreement

    spec = spec_from(options)
    check(spec, removes=False)
    units = UNITS if options.units is None else options.units
    document = agreement(spec, options.criteria, report, oracle=options.oracle, units=units).to_json()
    return Answer(document, _text(document))


def _text(document: Mapping[str, Any]) -> str:
    """The correlations of every pair of criteria, who is near to what was measured, and the greatest differences."""
    criteria, effect = document["criteria"], document["effect"]
    rows = [[name, *map(_rho, row)] for name, row in zip(criteria, document["overall"], strict=True)]
    parts = ["rank correlation, mean over groups weighted by units", table(["", *criteria], rows)]
    if effect is not None:
        found = [[name, _rho(effect["overall"][name])] for name in criteria]
        parts += [f"with the measured rise of the loss ({effect['samples']} samples)", table(["", "rank"], found)]
        parts.append(f"by chance alone 95% lie between -{effect['chance']:.2f} and +{effect['chance']:.2f}")
    rows = [
        [d["group"], d["unit"], f"{d['first_rank']:.0%} by {d['first']}", f"{d['second_rank']:.0%} by {d['second']}"]
        for d in document["disputes"][:10]
    ]
    parts += ["where they disagree most: rank from 0%, leaves first", table(["group", "unit", "", ""], rows)]
    return "\n\n".join(parts)


def _rho(value: float | None) -> str:
    return "none" if value is None else f"{value:+.2f}"
