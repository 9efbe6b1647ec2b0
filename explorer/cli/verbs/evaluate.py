"""``evaluate``: what a model is worth and costs."""

from argparse import ArgumentParser

from explorer.cli.console import Answer
from explorer.cli.options import Options, add_data, add_model, spec_from
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    add_model(parser)
    add_data(parser)


@verb(
    "evaluate",
    title="Evaluate",
    explanation="Measure accuracy, cost, size and latency.",
    arguments=arguments,
    rank=140,
)
def evaluate(options: Options, report: Report) -> Answer:
    from explorer.cli.measurements import measurement_table
    from explorer.methods import check
    from explorer.runs.verbs import evaluate_model

    spec = spec_from(options)
    check(spec, removes=False)
    document = evaluate_model(spec, report).to_json()
    return Answer(document, measurement_table({options.model: document}))
