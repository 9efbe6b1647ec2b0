"""The commands: each reads its options, calls the engine, and words the answer."""

import argparse
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from explorer.cli.console import Answer, table
from explorer.cli.wording import (
    agreement_text,
    budget_text,
    comparison_text,
    ladder_text,
    latency_text,
    margins_text,
    measurement_table,
    prune_text,
    runs_text,
    sparse_run_text,
)
from explorer.errors import ExplorerError, unknown
from explorer.methods.spec import KEYED, Spec
from explorer.progress import Report

Options = argparse.Namespace

# Options that are called as in a spec, and need no reading.
_ALIKE = (
    *("model", "data", "method", "criterion", "allocate", "normalise", "recover", "epochs", "samples"),
    *("seed", "device", "minimum", "steps", "round_to", "runtime", "batch", "sparsity"),
)


def app(options: Options, report: Report) -> Answer:
    from explorer.ui.launcher import launch

    launch(port=options.port, address=options.address)
    return Answer({}, "")


def models(options: Options, report: Report) -> Answer:
    from explorer.sources import list_models

    entries = [
        {
            "ref": entry.ref,
            "title": entry.title,
            "input_shape": list(entry.input_shape),
            "trained": entry.trained,
            "note": entry.note,
        }
        for entry in list_models()
    ]
    rows = [
        [e["ref"], _times(e["input_shape"]), "trained" if e["trained"] else "untrained", e["title"]] for e in entries
    ]
    return Answer({"models": entries}, table(["model", "input", "weights", "title"], rows))


def criteria(options: Options, report: Report) -> Answer:
    from explorer.criteria import CRITERIA

    entries = [
        {
            "name": c.name,
            "title": c.title,
            "needs": sorted(c.needs),
            "cost": c.cost,
            "forwards": c.forwards,
            "backwards": c.backwards,
            "forwards_per_unit": c.forwards_per_unit,
            "paper": c.reference,
        }
        for c in CRITERIA.values()
    ]
    rows = [[e["name"], e["title"], ", ".join(e["needs"]) or "nothing", e["cost"], e["paper"]] for e in entries]
    return Answer({"criteria": entries}, table(["name", "title", "needs", "cost", "paper"], rows))


def inspect(options: Options, report: Report) -> Answer:
    from explorer.runs.inspection import inspect_model

    document = inspect_model(options.model, options.input, report).to_json()
    keys = ["name", "kind", "size", "unit", "exact", "members", "params", "macs"]
    rows = [[group[key] for key in keys] for group in document["groups"]]
    heads = ["group", "kind", "channels", "unit", "exact", "members", "params", "MACs"]
    lines = [
        f"{document['model']}  input {_times(document['input'])}  "
        f"{document['params']:,} params  {document['macs']:,} MACs",
        "",
        table(heads, rows),
    ]
    if document["blocks"]:
        blocks = [[b["name"], b["params"], b["macs"]] for b in document["blocks"]]
        lines += ["", "blocks that can be taken out:", table(["block", "params", "MACs"], blocks)]
    if document["blocked"]:
        blocked = [[b["name"], b["size"], b["reason"]] for b in document["blocked"]]
        lines += ["", "can't be cut:", table(["layer", "channels", "reason"], blocked)]
    return Answer(document, "\n".join(lines))


def score(options: Options, report: Report) -> Answer:
    from explorer.methods.checking import check
    from explorer.runs.execute import estimate_scoring, score_model

    spec = _spec(options)
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


def agreement(options: Options, report: Report) -> Answer:
    from explorer.methods.checking import check
    from explorer.methods.studies.agreement import UNITS, agreement

    spec = _spec(options)
    check(spec, removes=False)
    units = UNITS if options.units is None else options.units
    document = agreement(spec, options.criteria, report, oracle=options.oracle, units=units).to_json()
    return Answer(document, agreement_text(document))


def sensitivity(options: Options, report: Report) -> Answer:
    from explorer.methods.checking import check
    from explorer.runs.execute import sensitivity_of
    from explorer.tasks import metric_of

    spec = _spec(options)
    check(spec, removes=False)
    document = sensitivity_of(spec, options.ratios, report, anew=options.anew)
    curves = document["groups"]
    ratios = [point["ratio"] for point in next(iter(curves.values()))]
    metric = metric_of(document)
    rows = [[name, *(metric.text(point[metric.name]) for point in points)] for name, points in curves.items()]
    whole = f"{metric.text(document['base'])} of {document['samples']}"
    head = f"validation {metric.short} with nothing removed: {whole}"
    return Answer(document, head + "\n\n" + table(["group", *(f"−{ratio:.0%}" for ratio in ratios)], rows))


def budget(options: Options, report: Report) -> Answer:
    from explorer.methods.checking import check
    from explorer.methods.tools.budgeting import budget_of

    spec = _spec(options)
    if not spec.keep:
        raise ExplorerError("there is no target to share out: give one, such as --keep macs=0.5 or --keep size=2MB")
    check(spec)
    document = budget_of(spec, report).to_json()
    return Answer(document, budget_text(document))


def latency(options: Options, report: Report) -> Answer:
    from explorer.methods.studies.latency_profile import latency_of

    asked = {name: getattr(options, name) for name in ("runtime", "batch", "device")}
    given = {name: value for name, value in asked.items() if value is not None}
    document = latency_of(options.model, options.input, anew=options.anew, report=report, **given).to_json()
    return Answer(document, latency_text(document))


def ladder(options: Options, report: Report) -> Answer:
    from explorer.methods.checking import check
    from explorer.runs.execute import ladder_of

    spec = _spec(options)
    check(spec)
    document = ladder_of(spec, options.up_to, report)
    return Answer(document, ladder_text(document))


def prune(options: Options, report: Report) -> Answer:
    from explorer.methods.checking import check
    from explorer.runs.history.tracking import default_tracker
    from explorer.runs.together import execute_together

    spec = _spec(options)
    check(spec)
    tracker = None if options.no_track else default_tracker()
    result = execute_together(spec, Path(options.out), report, resume=options.resume, tracker=tracker)
    if result is None:
        return Answer({}, "")
    document = result.to_json()
    return Answer(document, prune_text(document))


def compare(options: Options, report: Report) -> Answer:
    from explorer.runs.history.comparison import compare
    from explorer.runs.history.finished import read_finished

    document = compare([read_finished(Path(folder)) for folder in dict.fromkeys(options.folders)]).to_json()
    return Answer(document, comparison_text(document))


def runs(options: Options, report: Report) -> Answer:
    from explorer.runs.folders import default_root
    from explorer.runs.history.lineage import read_runs, tree

    folder = Path(options.folder) if options.folder else default_root()
    if not folder.is_dir():
        raise ExplorerError(f"there is no folder {folder}: name the one that holds the runs")
    records = read_runs(folder)
    forest = tree(records)
    document = {"runs": [record.to_json() for record in records], "tree": [branch.to_json() for branch in forest]}
    return Answer(document, runs_text(forest) if records else f"no runs in {folder}")


def weights(options: Options, report: Report) -> Answer:
    if options.run is not None:
        from explorer.runs.history.single_weights import read_sparse, weights_of

        if options.sparsity is not None or options.scope is not None:
            raise ExplorerError("a run has its own sparsity and scope: give --sparsity and --scope with a --model")
        document = weights_of(read_sparse(Path(options.run)), options.layer, options.step)
        return Answer(document, sparse_run_text(document))
    from explorer.pruning.margins import Margins
    from explorer.pruning.unstructured import prunable
    from explorer.sources import load_model

    if options.sparsity is None or options.step is not None:
        raise ExplorerError("a --model has no steps: give --sparsity, the share of weights that would become zero")
    asked = (options.sparsity, options.scope or "global")
    found = Margins(prunable(load_model(options.model).module))
    document = {"model": options.model, **found.to_json(*asked)}
    if options.layer is not None:
        document["layer"] = found.layer(options.layer, *asked)
    return Answer(document, margins_text(document))


def evaluate(options: Options, report: Report) -> Answer:
    from explorer.methods.checking import check
    from explorer.runs.execute import evaluate_model

    spec = _spec(options)
    check(spec, removes=False)
    document = evaluate_model(spec, report)
    return Answer(document, measurement_table({options.model: document}))


def export(options: Options, report: Report) -> Answer:
    from explorer.runs.verbs import export_run

    document = export_run(options.model, Path(options.out), report)
    text = f"{document['out']}: {document['size_bytes']:,} bytes, differs from torch by {document['max_abs_diff']:.1e}"
    return Answer(document, text)


def coverage(options: Options, report: Report) -> Answer:
    from explorer.bench.coverage import HEADS, cells, coverage, is_green, markdown, summary
    from explorer.files import write_text

    kept = None if options.resume is None else Path(options.resume)
    rows = coverage(options.only, onnx=not options.no_onnx, report=report, kept=kept)
    if options.out:
        write_text(Path(options.out), markdown(rows))
    text = f"{table(HEADS, map(cells, rows))}\n\n{summary(rows)}"
    return Answer({"rows": rows}, text, code=0 if all(map(is_green, rows)) else 1)


def methods(options: Options, report: Report) -> Answer:
    from explorer.bench.methods import SMALL, Grid

    return _board(SMALL if options.small else Grid(), options, report)


def spvr(options: Options, report: Report) -> Answer:
    from explorer.bench.methods import SPVR

    return _board(SPVR, options, report)


def _board(usual: Any, options: Options, report: Report) -> Answer:
    """The scoreboard of a grid, where nothing else is asked as it usually is."""
    from explorer.bench import figure
    from explorer.bench.methods import HEADS, cells, markdown, scoreboard, summary
    from explorer.files import write_text

    rows = scoreboard(_asked(usual, options), **_way(options), report=report)
    lines = summary(rows)
    if options.out:
        write_text(Path(options.out), markdown(lines))
    if options.figure:
        figure.write(lines, Path(options.figure))
    return Answer({"lines": lines, "rows": rows}, table(HEADS, map(cells, lines)))


def dg2pf(options: Options, report: Report) -> Answer:
    from explorer.bench.dg2pf import HEADS, Grid, by_table, cells, markdown, tables
    from explorer.files import write_text

    lines = tables(_asked(Grid(), options), **_way(options), report=report)
    if options.out:
        write_text(Path(options.out), markdown(lines))
    texts = [f"{title}\n{table(HEADS, map(cells, rows))}" for title, rows in by_table(lines)]
    return Answer({"lines": lines}, "\n\n".join(texts))


def _asked(usual: Any, options: Options) -> Any:
    """The grid with everything that the options name."""
    asked = {field.name: getattr(options, field.name) for field in fields(usual)}
    return replace(usual, **{name: value for name, value in asked.items() if value is not None})


def _way(options: Options) -> dict[str, Any]:
    """Where rows are kept, and how many are made at a time."""
    kept = None if options.resume is None else Path(options.resume)
    return {"kept": kept, "processes": options.processes or os.cpu_count() or 1}


def demo(options: Options, report: Report) -> Answer:
    from explorer.places import ASSETS
    from explorer.sources.demo_training import RECIPES, train_all, train_demo

    out = Path(options.out) if options.out else ASSETS
    if options.model is None:
        records = train_all(report, out)
    elif options.model in RECIPES:
        records = {options.model: train_demo(options.model, report, out)}
    else:
        raise unknown("demo model", options.model, RECIPES)
    rows = [[ref, f"{record['top1']:.1%}", f"{record['seconds']:.0f} s"] for ref, record in records.items()]
    return Answer({"checkpoints": records, "out": str(out)}, table(["model", "test top-1", "trained in"], rows))


def _spec(options: Options) -> Spec:
    """The spec that the command's options describe; what was not given stays at its default."""
    from explorer.budget import Target, parse_ratio
    from explorer.methods import METHODS
    from explorer.pruning import Plan

    given: dict[str, Any] = {name: getattr(options, name, None) for name in _ALIKE}
    given["input_shape"] = options.input
    given["options"] = _unique(getattr(options, "option", []), "option")
    given["settings"] = _unique(getattr(options, "set", []), "setting")
    given["ratios"] = _unique([parse_ratio(text) for text in getattr(options, "ratio", [])], "ratio")
    given["locked"] = tuple(getattr(options, "lock", ()))
    if getattr(options, "keep", None):
        targets = map(Target.parse, options.keep)
        given["keep"] = _unique([(target.kind, target.value) for target in targets], "target")
    if getattr(options, "plan", None) is not None:
        plan = Plan.from_json(Path(options.plan).read_bytes())
        given["plan"], given["skip"] = dict(plan.remove), plan.blocks
    known = {name: value for name, value in given.items() if value is not None}
    defaults = METHODS[known["method"]].defaults if known.get("method") in METHODS else {}
    beside = {name: getattr(options, keyed.key, None) for name, keyed in KEYED.items()}
    return Spec(**{**defaults, **known}).with_settings(**{n: value for n, value in beside.items() if value is not None})


def _unique(pairs: list[tuple[str, Any]], what: str) -> dict[str, Any]:
    for name, _ in pairs:
        if sum(name == other for other, _ in pairs) > 1:
            raise ExplorerError(f"{what} {name!r} is given twice: give it once")
    return dict(pairs)


def _times(shape: list[int]) -> str:
    return "×".join(map(str, shape))
