"""``score``: every channel's worth."""

from argparse import ArgumentParser

from explorer.cli.console import Answer, table
from explorer.cli.options import Options, add_data, add_model, add_scoring, spec_from
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    add_model(parser)
    add_data(parser)
    add_scoring(parser, required=True)
    parser.add_argument("--estimate", action="store_true", help="only say how long it will take here")


@verb("score", title="Score", explanation="Score every channel with one criterion.", arguments=arguments, rank=50)
def score(options: Options, report: Report) -> Answer:
    from explorer.methods import check
    from explorer.runs.verbs import estimate_scoring, score_model

    spec = spec_from(options)
    check(spec, removes=False)
    if options.estimate:
        seconds = estimate_scoring(spec, report)
        return Answer({"criterion": spec.criterion, "seconds": seconds}, f"{spec.criterion}: about {seconds:.1f} s")
    document = score_model(spec, report).to_json()
    rows = [
        [name, len(values), f"{min(values):.4g}", f"{sorted(values)[len(values) // 2]:.4g}", f"{max(values):.4g}"]
        for name, values in document["groups"].items()
    ]
    lines = [table(["group", "units", "lowest", "median", "highest"], rows)]
    lines += [f"{name}: not scored, {reason}" for name, reason in document["skipped"].items()]
    return Answer(document, "\n".join(lines))
