"""``sensitivity``: what each group alone may lose."""

from argparse import ArgumentParser

from explorer.cli.console import Answer, table
from explorer.cli.options import Options, add_data, add_model, add_scoring, fractions, spec_from
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    add_model(parser)
    add_data(parser)
    add_scoring(parser, required=True)
    parser.add_argument("--ratios", type=fractions, metavar="R,R,…", help="for example 0.1,0.3,0.5")
    parser.add_argument("--anew", action="store_true", help="measure again what the cache has")


@verb(
    "sensitivity",
    title="Sensitivity",
    explanation="Measure what each group alone may lose.",
    arguments=arguments,
    rank=70,
)
def sensitivity(options: Options, report: Report) -> Answer:
    from explorer.methods import check
    from explorer.runs.verbs import sensitivity_of
    from explorer.tasks import metric_of

    spec = spec_from(options)
    check(spec, removes=False)
    document = sensitivity_of(spec, options.ratios, report, anew=options.anew).to_json()
    curves = document["groups"]
    ratios = [point["ratio"] for point in next(iter(curves.values()))]
    metric = metric_of(document)
    rows = [[name, *(metric.text(point[metric.name]) for point in points)] for name, points in curves.items()]
    whole = f"{metric.text(document['base'])} of {document['samples']}"
    head = f"validation {metric.short} with nothing removed: {whole}"
    return Answer(document, head + "\n\n" + table(["group", *(f"−{ratio:.0%}" for ratio in ratios)], rows))
