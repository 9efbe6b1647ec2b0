"""``prune``: the main job, from a model to a smaller one."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from explorer.cli.choices import names_of, presets_of, records, settings_of
from explorer.cli.console import Answer, table, times
from explorer.cli.options import (
    Options,
    add_data,
    add_model,
    add_out,
    add_removing,
    add_scoring,
    setting,
    spec_from,
    whole,
)
from explorer.cli.verb import verb
from explorer.errors import ExplorerError
from explorer.progress import Report

if TYPE_CHECKING:
    from explorer.tasks import Metric


def arguments(parser: ArgumentParser) -> None:
    from explorer.methods import METHODS
    from explorer.recovery import RECOVERIES

    methods = {name: entry for name, entry in METHODS.declared().items() if entry.removes}
    recoveries = records(RECOVERIES)
    add_model(parser)
    add_data(parser)
    add_scoring(parser, required=False)
    parser.add_argument("--method", metavar="NAME", help=f"{names_of(methods)} (default: one-shot)")
    presets = sorted({preset for method in methods.values() for preset in method.presets})
    parser.add_argument("--preset", metavar="NAME", help=f"of a method: {names_of(presets)} (default: ours)")
    add_removing(parser)
    parser.add_argument("--recover", metavar="NAME", help=f"{names_of(recoveries)} (default: none; in steps: distill)")
    parser.add_argument("--epochs", type=whole, metavar="N", help="of fine-tuning, in each step")
    _gradual(parser)
    _sparse(parser)
    add_out(parser, "folder for the pruned model")
    for name, method in methods.items():
        if lines := settings_of(method):
            parser.add_argument_group(f"settings of {name}, each by --set KEY=VALUE", "\n".join(lines))
        if lines := presets_of(method):
            parser.add_argument_group(f"presets of {name}, one by --preset NAME", "\n".join(lines))


def _gradual(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("methods that cut in steps")
    group.add_argument("--steps", type=whole, metavar="T", help="how many (default: 10)")
    group.add_argument("--rho", type=float, metavar="R", help="the first removes R of the units (default: by --keep)")
    group.add_argument(
        "--alpha", type=float, metavar="A", help="step t removes R·(1 + t/T)^A of the rest (default: 1.5)"
    )
    group.add_argument("--max-drop", type=float, metavar="D", help="of the validation metric (default: 0.02)")
    group.add_argument("--teacher", metavar="NAME", help="base or previous: what distillation imitates (default: base)")
    group.add_argument(
        "--blocks", type=whole, metavar="N", help="idap removes up to N residual blocks (default: by --max-drop)"
    )
    group.add_argument(
        "--block-order", metavar="NAME", help="by divergence, or by the loss without the block (default: divergence)"
    )


def _sparse(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("methods that set single weights to zero")
    group.add_argument("--sparsity", type=float, metavar="S", help="the share of the weights, such as 0.9")
    group.add_argument(
        "--set", action="append", default=[], type=setting, metavar="KEY=VALUE", help="a setting, such as alpha=0.9"
    )


@verb(
    "prune",
    title="Prune",
    explanation="Score, cut, recover, measure and export.",
    arguments=arguments,
    shared=True,
    rank=110,
)
def prune(options: Options, report: Report) -> Answer:
    from explorer.cli.runs import carried_out
    from explorer.methods import removes

    spec = spec_from(options)
    if not removes(spec.method):
        raise ExplorerError(f"method {spec.method!r} removes nothing: use the command {spec.method}")
    document = carried_out(spec, options, report)
    return Answer(document, _text(document) if document else "")


def _text(result: Mapping[str, Any]) -> str:
    """Before and after, the widths that changed, what is to be minded, and where it lies."""
    from explorer.cli.measurements import measurement_table
    from explorer.tasks import metric_of

    metric = metric_of(result["base"])
    columns = {"base": result["base"], "as cut": result["as_cut"], "pruned": result["pruned"]}
    onnx = result["onnx"]
    parts = [
        measurement_table(columns),
        *(_zeros(result, metric) if result["sparse"] else _cut(result, metric)),
        f"ONNX differs from torch by {onnx['max_abs_diff']:.1e} at most",
        *(f"note: {warning}" for warning in result["warnings"]),
        f"written to {result['out']} in {result['seconds']:.1f} s; load it as run:{result['out']}",
    ]
    return "\n\n".join(parts)


def _cut(result: Mapping[str, Any], metric: "Metric") -> list[str]:
    """What a cut left, the way there, and the widths that changed."""
    achieved = "  ".join(f"{kind} {fraction:.1%}" for kind, fraction in result["achieved"].items())
    changed = [[g["name"], g["size"], g["kept"]] for g in result["groups"] if g["kept"] < g["size"]]
    return [f"kept: {achieved}", *_steps(result, metric), table(["group", "channels", "kept"], changed)]


def _steps(result: Mapping[str, Any], metric: "Metric") -> list[str]:
    """The trajectory of a method that cuts in steps, as one table."""
    if not result["steps"]:
        return []
    rows = [["base", f"{result['base']['macs']:,}", f"{result['base']['params']:,}", "", "", ""]]
    for step in result["steps"]:
        found = [metric.text(step[f"{metric.name}_{when}"]) for when in ("before", "after")]
        rows.append([step["step"], step["macs"], step["params"], *found, "taken back" if step["rolled_back"] else ""])
    return [table(["step", "MACs", "params", f"validation {metric.short} as cut", "recovered", ""], rows)]


def _zeros(result: Mapping[str, Any], metric: "Metric") -> list[str]:
    """What zeros in the weights come to, step by step and layer by layer."""
    sparse = result["sparse"]
    facts = [
        ["weights that are zero", f"{sparse['zeros']:,} of {sparse['weights']:,} ({sparse['sparsity']:.2%})"],
        ["params that aren't", sparse["nonzero_params"]],
        ["MACs with one that isn't", sparse["nonzero_macs"]],
        ["bytes, packed", sparse["compressed_bytes"]],
        ["bytes, deflated", sparse["deflated_bytes"]],
        ["bytes of the ONNX file, deflated", sparse["onnx_deflated_bytes"]],
    ]
    before, after = (f"{metric.name}_{when}" for when in ("before", "after"))
    rows = [
        [step["step"], f"{step['sparsity']:.2%}", step["epochs"], metric.text(step[before]), metric.text(step[after])]
        for step in result["steps"]
    ]
    layers = [[layer["name"], times(layer["shape"]), f"{layer['sparsity']:.1%}"] for layer in sparse["layers"]]
    return [
        table(["", "sparse"], facts),
        table(["step", "zero", "epochs", f"validation {metric.short} at first", "trained"], rows),
        table(["weight", "shape", "zero"], layers),
    ]
