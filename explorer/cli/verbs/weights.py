"""``weights``: which single weights are zero."""

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from explorer.cli.console import Answer, table, times
from explorer.cli.options import Options, whole
from explorer.cli.verb import verb
from explorer.errors import ExplorerError
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--run", metavar="DIR", help="the --out folder of a sparse or dg2pf run, also of one under way")
    which.add_argument("--model", metavar="REF", help="any model: what a --sparsity by magnitude would come to")
    parser.add_argument("--layer", metavar="NAME", help="a weight, such as conv1.weight: its histogram and margins")
    parser.add_argument("--step", type=whole, metavar="N", help="of the run (default: the last)")
    parser.add_argument("--sparsity", type=float, metavar="S", help="of the model: the share, such as 0.9")
    parser.add_argument("--scope", metavar="NAME", help="of the model: global or layer (default: global)")


@verb(
    "weights",
    title="Weights",
    explanation="Show which single weights a run set to zero, or what magnitude would remove.",
    arguments=arguments,
    rank=130,
)
def weights(options: Options, report: Report) -> Answer:
    return _of_run(options) if options.run is not None else _of_model(options)


def _of_run(options: Options) -> Answer:
    """The weights of a sparse run, as its steps left them."""
    from explorer.runs.history.single_weights import read_sparse, weights_of

    if options.sparsity is not None or options.scope is not None:
        raise ExplorerError("a run has its own sparsity and scope: give --sparsity and --scope with a --model")
    document = weights_of(read_sparse(Path(options.run)), options.layer, options.step)
    return Answer(document, _run_text(document))


def _of_model(options: Options) -> Answer:
    """The weights of any model, and which of them magnitude would remove."""
    from explorer.pruning.margins import Margins
    from explorer.pruning.unstructured import prunable
    from explorer.sources import load_model

    if options.sparsity is None or options.step is not None:
        raise ExplorerError("a --model has no steps: give --sparsity, the share of weights that would become zero")
    asked = (options.sparsity, options.scope or "global")
    margins = Margins(prunable(load_model(options.model).module))
    document = {"model": options.model, **margins.to_json(*asked)}
    if options.layer is not None:
        document["layer"] = margins.layer(options.layer, *asked)
    return Answer(document, _margins_text(document))


def _run_text(document: Mapping[str, Any]) -> str:
    """How sparse every layer is after every step, and what became of one layer; see `single_weights.weights_of`."""
    steps = document["steps"]
    heads = ["weight", *(f"step {step['step']}" for step in steps)]
    rows = [[name, *(f"{step['layers'][name]:.1%}" for step in steps)] for name in steps[0]["layers"]]
    rows.append(["all", *(f"{step['sparsity']:.1%}" for step in steps)])
    regrown = [["came back", *(step["regrown"] for step in steps)]]
    parts = [f"{document['run']}: {'finished' if document['finished'] else 'under way'}", table(heads, rows + regrown)]
    if layer := document.get("layer"):
        parts.append(_layer(layer))
        if layer["pruned_at"] is not None:
            gone = [[f"step {step}", count] for step, count in layer["pruned_at"].items()]
            parts.append(table(["zero since", "weights"], gone))
    return "\n\n".join(parts)


def _margins_text(document: Mapping[str, Any]) -> str:
    """What magnitude pruning would leave of every layer; see `explorer.pruning.margins`."""
    whole = f"{document['zeros']:,} of {document['weights']:,} weights are the smallest {document['sparsity']:.1%}"
    rows = [
        [layer["name"], times(layer["shape"]), layer["zeros"], f"{layer['sparsity']:.1%}", _magnitude(layer["margin"])]
        for layer in document["layers"]
    ]
    parts = [whole, table(["weight", "shape", "would leave", "share", "up to magnitude"], rows)]
    return "\n\n".join([*parts, *([_layer(document["layer"])] if "layer" in document else [])])


def _layer(layer: Mapping[str, Any]) -> str:
    """The counts of one layer, its margins and its histogram."""
    margins, histogram = layer["margins"], layer["histogram"]
    between = f" between {margins[0]:.4g} and {margins[1]:.4g}" if margins else ""
    counts = f"{layer['kept']:,} of {layer['weights']:,} weights stay"
    width = (histogram["high"] - histogram["low"]) / len(histogram["kept"])
    rows = [
        [f"{histogram['low'] + place * width:.4g}", kept, removed]
        for place, (kept, removed) in enumerate(zip(histogram["kept"], histogram["removed"], strict=True))
    ]
    said = f"{layer['name']}: {counts}, {layer['removed']:,} leave{between}, {layer['regrown']:,} come back"
    return f"{said}\n\n{table(['from', 'stay', 'leave'], rows)}"


def _magnitude(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"
