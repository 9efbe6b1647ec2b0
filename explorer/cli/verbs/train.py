"""``train``: a network fitted to data before anything is removed from it."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from explorer.cli.console import Answer, table
from explorer.cli.options import Options, add_data, add_model, add_out, spec_from, whole
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    add_model(parser)
    add_data(parser)
    parser.add_argument("--epochs", type=whole, metavar="N", help="at most (default: 30 of untrained networks, else 8)")
    parser.add_argument("--rate", type=float, metavar="R", help="the peak learning rate (default: by the network)")
    parser.add_argument("--freeze-body", action="store_true", help="let only the last layer learn")
    parser.add_argument("--seed", type=whole, metavar="N", help="of every random choice (default: 0)")
    add_out(parser, "folder for the trained model")


@verb(
    "train",
    title="Train",
    explanation="Train a network on data before pruning, with a new last layer where its classes are others.",
    arguments=arguments,
    shared=True,
    rank=105,
)
def train(options: Options, report: Report) -> Answer:
    from explorer.cli.runs import carried_out

    options.method = "train"
    given = {"rate": options.rate, "freeze": "body" if options.freeze_body else None}
    spec = spec_from(options).with_settings(**given)
    document = carried_out(spec, options, report)
    return Answer(document, _text(document) if document else "")


def _text(result: Mapping[str, Any]) -> str:
    """Before and after, epoch by epoch, what is to be minded, and where it lies."""
    from explorer.cli.measurements import measurement_table
    from explorer.tasks import metric_of

    metric, recovery = metric_of(result["base"]), result["recovery"]
    kept = {recovery["best"]: "kept"}
    rows = [
        [epoch["epoch"], f"{epoch['loss']:.4f}", metric.text(epoch["score"]), kept.get(epoch["epoch"], "")]
        for epoch in recovery["epochs"]
    ]
    parts = [
        measurement_table({"before": result["base"], "trained": result["pruned"]}),
        table(["epoch", "training loss", f"validation {metric.short}", ""], rows),
        *(f"note: {warning}" for warning in result["warnings"]),
        f"written to {result['out']} in {result['seconds']:.1f} s; prune it as --model run:{result['out']}",
    ]
    return "\n\n".join(parts)
