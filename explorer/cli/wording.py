"""Measurements and results as text for a person."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from explorer.budget import amount
from explorer.cli.console import table
from explorer.methods.studies.recovery_stages import RECOVERY_STAGES
from explorer.runs.history.lineage import Branch
from explorer.tasks import METRICS, headline, metric_of

_FURTHER = {
    "top5": "top-5",
    "f1": "F1",
    "mcc": "Matthews correlation",
    "mse": "mean squared error",
    "pixel_accuracy": "pixel accuracy",
    "map_50": "mAP at 50% overlap",
    "map_75": "mAP at 75% overlap",
}


def measurement_table(measurements: Mapping[str, Mapping[str, Any]]) -> str:
    """One column per measured model."""
    first = next(iter(measurements.values()))
    rows = [
        [metric_of(first).short, *(_quality(m) for m in measurements.values())],
        *([_FURTHER[name], *(_value(m[name]) for m in measurements.values())] for name in _FURTHER if name in first),
        ["params", *(m["params"] for m in measurements.values())],
        ["MACs", *(m["macs"] for m in measurements.values())],
        ["bytes", *(m["size_bytes"] for m in measurements.values())],
        ["latency, one input", *(f"{m['latency_ms']:.2f} ms" for m in measurements.values())],
    ]
    return table(["", *measurements], rows)


def ladder_text(document: Mapping[str, Any]) -> str:
    """A line per rung, from the whole network upwards."""
    metric = document["metric"]
    rows = [["whole network", _quality(document["base"] | {"metric": metric}), ""]]
    for rung in document["rungs"]:
        what = "simulated by mask" if rung["by"] == "mask" else "measured on the cut network"
        rows.append([RECOVERY_STAGES[rung["recovery"]], _quality(rung | {"metric": metric}), what])
    kept = "  ".join(f"{kind} {fraction:.1%}" for kind, fraction in document["kept"].items())
    notes = [f"{RECOVERY_STAGES[rung['recovery']]}: {note}" for rung in document["rungs"] for note in rung["warnings"]]
    return "\n\n".join([table(["", f"validation {metric_of(document).short}", ""], rows), f"kept: {kept}", *notes])


def agreement_text(document: Mapping[str, Any]) -> str:
    """The correlations of every pair of criteria, who is near to what was measured, and the greatest differences."""
    names, effect = document["criteria"], document["effect"]
    rows = [[name, *map(_rho, row)] for name, row in zip(names, document["overall"], strict=True)]
    parts = ["rank correlation, mean over groups weighted by units", table(["", *names], rows)]
    if effect is not None:
        found = [[name, _rho(effect["overall"][name])] for name in names]
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


def budget_text(document: Mapping[str, Any]) -> str:
    """What was in reach, what it came to, which target binds, and what would come next."""
    rows = []
    for reach in document["reach"]:
        kind, whole, cost = reach["kind"], reach["whole"], document["costs"][reach["kind"]]
        values = [f"{amount(kind, value)} ({value / whole:.1%})" for value in (reach["lowest"], cost)]
        binds = "binds" if kind in document["binding"] else ""
        feasible = "yes" if reach["feasible"] else "no"
        rows.append([reach["target"], amount(kind, whole), values[0], feasible, values[1], binds])
    changed = [[g["name"], g["size"], g["kept"]] for g in document["groups"] if g["kept"] < g["size"]]
    parts = [
        table(["target", "whole", "least", "feasible", "kept", ""], rows),
        table(["group", "channels", "kept"], changed),
        *filter(None, [_latency_words(document["latency"]), _effect_words(document["effect"])]),
        *filter(None, [_next_words(document["next"])]),
        *(f"note: {warning}" for warning in document["warnings"]),
    ]
    return "\n\n".join(parts)


def _latency_words(latency: Mapping[str, Any] | None) -> str:
    if latency is None:
        return ""
    error = latency["predicted_ms"] / latency["measured_ms"] - 1
    where = f"{latency['runtime']}, batch of {latency['batch']}"
    return (
        f"latency ({where}): {latency['measured_ms']:.2f} ms measured on the cut network, "
        f"{latency['predicted_ms']:.2f} ms predicted ({error:+.1%}), whole {latency['whole_ms']:.2f} ms"
    )


def _effect_words(effect: Mapping[str, Any] | None) -> str:
    if effect is None:
        return ""
    base, predicted, measured = (metric_of(effect).text(effect[key]) for key in ("base", "predicted", "measured"))
    short = metric_of(effect).short
    return f"validation {short}: {base} whole, {predicted} if the groups' drops added up, {measured} measured"


def _next_words(step: Mapping[str, Any] | None) -> str:
    if step is None:
        return "next: every group is at its minimum"
    saves = " and ".join(f"{amount(kind, value)}{_NOUNS[kind]}" for kind, value in step["saves"].items())
    return f"next: {step['units']} more of {step['group']} save {saves}, the most for the score that leaves"


_NOUNS = {"params": " params", "macs": " MACs", "size": "", "latency": ""}


def latency_text(document: Mapping[str, Any]) -> str:
    """Every group's staircase, and how well it predicts whole plans."""
    base = document["base_ms"]
    rows = []
    for name, found in document["groups"].items():
        cliffs = {(cliff["width"], cliff["to"]): cliff["why"] for cliff in found["cliffs"]}
        wider = None
        for point in found["points"]:
            change = point["ms"] - base
            spread = f"{point['low'] - base:+.3f} to {point['high'] - base:+.3f}"
            rows.append([name, point["width"], f"{change:+.3f}", spread, cliffs.get((wider, point["width"]), "")])
            wider = point["width"]
    checks = [
        [number, f"{c['predicted_ms']:.3f}", f"{c['measured_ms']:.3f}", f"{c['error']:+.1%}", f"{c['additive_ms']:.3f}"]
        for number, c in enumerate(document["checks"], start=1)
    ]
    where = f"{document['runtime']}, batch of {document['batch']}, {document['device']}"
    parts = [
        f"{document['model']}: {base:.3f} ms ({where}); {document['reach_ms']:.3f} ms with all groups at their fastest",
        table(["group", "channels", "ms more", "95 % interval", "cliff"], rows),
        table(["plan", "predicted ms", "measured ms", "error", "plain sum ms"], checks),
        *(f"note: {remark}" for remark in document["remarks"]),
    ]
    return "\n\n".join(parts)


def prune_text(result: Mapping[str, Any]) -> str:
    """Before and after, the widths that changed, what is to be minded, and where it lies."""
    columns = {"base": result["base"], "as cut": result["as_cut"], "pruned": result["pruned"]}
    onnx = result["onnx"]
    parts = [
        measurement_table(columns),
        *(_sparse(result) if result["sparse"] else _cut(result)),
        f"ONNX differs from torch by {onnx['max_abs_diff']:.1e} at most",
        *(f"note: {warning}" for warning in result["warnings"]),
        f"written to {result['out']} in {result['seconds']:.1f} s; load it as run:{result['out']}",
    ]
    return "\n\n".join(parts)


def _cut(result: Mapping[str, Any]) -> list[str]:
    achieved = "  ".join(f"{kind} {fraction:.1%}" for kind, fraction in result["achieved"].items())
    changed = [[g["name"], g["size"], g["kept"]] for g in result["groups"] if g["kept"] < g["size"]]
    return [f"kept: {achieved}", *_steps(result), table(["group", "channels", "kept"], changed)]


def _sparse(result: Mapping[str, Any]) -> list[str]:
    """What zeros in the weights come to, step by step and layer by layer."""
    sparse, metric = result["sparse"], metric_of(result["base"])
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
    layers = [[layer["name"], _shape(layer["shape"]), f"{layer['sparsity']:.1%}"] for layer in sparse["layers"]]
    return [
        table(["", "sparse"], facts),
        table(["step", "zero", "epochs", f"validation {metric.short} at first", "trained"], rows),
        table(["weight", "shape", "zero"], layers),
    ]


def _shape(sizes: Sequence[int]) -> str:
    return "×".join(map(str, sizes))


def sparse_run_text(document: Mapping[str, Any]) -> str:
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


def margins_text(document: Mapping[str, Any]) -> str:
    """What magnitude pruning would leave of every layer; see `explorer.pruning.margins`."""
    whole = f"{document['zeros']:,} of {document['weights']:,} weights are the smallest {document['sparsity']:.1%}"
    rows = [
        [layer["name"], _shape(layer["shape"]), layer["zeros"], f"{layer['sparsity']:.1%}", _magnitude(layer["margin"])]
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


def runs_text(forest: Sequence[Branch]) -> str:
    """A line per run, those that started from another one below it and indented."""
    heads = ["run", "model", "method", "criterion", "MACs kept", "zeros", "metric", "from", "state"]
    return table(heads, [row for branch in forest for row in _branch(branch, 0)])


def _branch(branch: Branch, depth: int) -> Iterator[list[object]]:
    run = branch.run
    start = None if run.parent is None else "its end" if run.parent_step is None else f"step {run.parent_step}"
    yield [
        f"{'  ' * (depth - 1)}└ {run.ref}" if depth else run.ref,
        run.model,
        run.method,
        run.criterion,
        f"{run.kept['macs']:.1%}" if run.kept else None,
        _zeros(run.sparsity),
        None if run.pruned is None else f"{METRICS[run.metric].short} {METRICS[run.metric].text(run.pruned)}",
        start,
        run.state,
    ]
    for child in branch.children:
        yield from _branch(child, depth + 1)


def comparison_text(document: Mapping[str, Any]) -> str:
    """A line per run, the widths of every group, and what the plans have in common; see `history.comparison`."""
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
        kept.append(_zeros(run["sparsity"]))
        rows.append([run["run"], run["method"], run["criterion"], run["recover"], *kept, found, change])
    names = [run["run"] for run in document["runs"] if run["sparsity"] is None]
    widths = [[g["name"], g["size"], *(g["kept"].get(name) for name in names)] for g in document["groups"]]
    parts = [table(heads, rows), *([table(["channels of", "whole", *names], widths)] if widths else [])]
    for pair in document["plans"]:
        first, second = pair["runs"]
        parts.append(f"{first} and {second}: {_overlap(pair)}")
    return "\n\n".join(parts)


def _zeros(sparsity: float | None) -> str | None:
    return None if sparsity is None else f"{sparsity:.1%} of weights"


def _overlap(pair: Mapping[str, Any]) -> str:
    if pair["overlap"] is None:
        return "neither removes a unit"
    return (
        f"{pair['both']} removed units are the same, {pair['first']} and {pair['second']} are not: an overlap of "
        f"{pair['overlap']:.0%}, by chance {pair['chance']:.0%}"
    )


def _steps(result: Mapping[str, Any]) -> list[str]:
    """The trajectory of a method that cuts in steps, as one table."""
    if not result["steps"]:
        return []
    metric = metric_of(result["base"])
    rows = [["base", f"{result['base']['macs']:,}", f"{result['base']['params']:,}", "", "", ""]]
    for step in result["steps"]:
        found = [metric.text(step[f"{metric.name}_{when}"]) for when in ("before", "after")]
        rows.append([step["step"], step["macs"], step["params"], *found, "taken back" if step["rolled_back"] else ""])
    return [table(["step", "MACs", "params", f"validation {metric.short} as cut", "recovered", ""], rows)]


def _quality(measurement: Mapping[str, Any]) -> str:
    found = headline(measurement)
    return "–" if found is None else f"{found.text()} of {found.samples}"


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
