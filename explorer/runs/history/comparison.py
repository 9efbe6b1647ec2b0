"""Finished runs side by side: final numbers, the way there, and which units each of them took."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError
from explorer.export.layout import REPORT
from explorer.pruning import Plan
from explorer.runs.history.lineage import Branch
from explorer.runs.queue.job import BUNDLE
from explorer.tasks import headline, metric_of


@dataclass(frozen=True)
class Finished:
    """A finished run: what it is called here, its `result` as in its report, and the `plan` that it made."""

    name: str
    result: Mapping[str, Any]
    plan: Plan

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.result["spec"]

    @property
    def steps(self) -> Sequence[Mapping[str, Any]]:
        """The cuts of a method that makes several, in order."""
        return self.result.get("steps") or ()

    @property
    def sparse(self) -> Mapping[str, Any] | None:
        """What its zeros come to, of a run that set single weights to zero instead of cutting channels."""
        return self.result.get("sparse")


def read_finished(folder: Path, name: str | None = None) -> Finished:
    """The run whose bundle lies in `folder`, or in ``folder/bundle`` as the app places it; by default of that name.

    Raises:
        ExplorerError: there is no finished run, or its files are not readable.
    """
    bundle = folder if (folder / REPORT).is_file() else folder / BUNDLE
    try:
        result = json.loads((bundle / REPORT).read_text(encoding="utf-8"))
        plan = Plan.from_json((bundle / "plan.json").read_bytes())
    except OSError:
        raise ExplorerError(f"{folder} holds no finished run: name the --out folder of a prune command") from None
    except ValueError:
        raise ExplorerError(f"{bundle / REPORT} is damaged: run it again") from None
    if not isinstance(result, dict) or not {"base", "pruned", "spec", "groups"} <= result.keys():
        raise ExplorerError(f"{bundle / REPORT} is no report of a prune run: name the --out folder of a prune command")
    return Finished(name or str(folder), result, plan)


def compare(runs: Sequence[Finished]) -> dict[str, Any]:
    """Everything that a comparison shows, as one JSON object.

    Returns:
        ``{runs: [see row], curves: {name: [see curve]}, groups: [see widths], plans: [see difference]}``; `groups` are
        of the runs that cut channels, `plans` has every pair of those that cut the same model.
    """
    cutting = [run for run in runs if not run.sparse]
    return {
        "runs": [row(run) for run in runs],
        "curves": {run.name: curve(run) for run in runs},
        "groups": widths(cutting),
        "plans": [difference(a, b) for a, b in combinations(cutting, 2) if a.plan.base == b.plan.base],
    }


def row(run: Finished) -> dict[str, Any]:
    """The run's settings and final numbers; METRIC and its interval are of the test split, from 0 to 1.

    `change` is the difference of the metric to the base model's, `seconds` what the run took, `steps` how many cuts
    it made and `taken_back` how many of them it took back. Zeros stand apart from what was cut: `sparsity` is the share
    of weights that are zero, `nonzero_params` the parameters that are not, `compressed_bytes` the packed file, all None
    where channels were cut.
    """
    base, pruned, spec = run.result["base"], run.result["pruned"], run.spec
    before, after = headline(base), headline(pruned)
    return {
        "run": run.name,
        **{key: spec[key] for key in ("model", "data", "method", "criterion", "recover", "epochs", "seed")},
        "macs_kept": pruned["macs"] / base["macs"],
        "params_kept": pruned["params"] / base["params"],
        "sparsity": run.sparse["sparsity"] if run.sparse else None,
        "nonzero_params": pruned["nonzero_params"] if run.sparse else None,
        "compressed_bytes": pruned["compressed_bytes"] if run.sparse else None,
        "metric": metric_of(base).name,
        "base": before and before.value,
        "value": after and after.value,
        "low": after and after.low,
        "high": after and after.high,
        "change": after.value - before.value if before and after else None,
        "macs": pruned["macs"],
        "params": pruned["params"],
        "size_bytes": pruned["size_bytes"],
        "latency_ms": pruned["latency_ms"],
        "seconds": run.result["seconds"],
        "steps": len(run.steps) or None,
        "taken_back": sum(step["rolled_back"] for step in run.steps) if run.steps else None,
    }


def curve(run: Finished) -> list[dict[str, Any]]:
    """The run's points, each ``{split, step, macs, params, nonzero, value, low, high, as_cut, rolled_back}``.

    `macs` and `params` are shares of the base model's, `nonzero` is the share of its parameters that are there and not
    zero: the same as `params` where channels were cut. The base model (step 0) and the end (step None) are measured
    on the test split; the steps between were judged on the validation split, which also decided about them, so the two
    kinds of points don't belong on one line.
    """
    base, pruned = run.result["base"], run.result["pruned"]
    metric = metric_of(base).name
    steps = [
        {
            "split": "validation",
            "step": step["step"],
            **_shares(step, base),
            "nonzero": (step["params"] - _zeros(step)) / base["params"],
            "value": step[f"{metric}_after"],
            "low": None,
            "high": None,
            "as_cut": step[f"{metric}_before"],
            "rolled_back": step["rolled_back"],
        }
        for step in run.steps
    ]
    ends = [_measured(found, base, number) for found, number in ((base, 0), (pruned, None))]
    return [ends[0], *steps, ends[1]]


def _shares(found: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, float]:
    return {kind: found[kind] / base[kind] for kind in ("macs", "params")}


def _zeros(step: Mapping[str, Any]) -> int:
    """The weights that are zero after a step."""
    return sum(layer["weights"] - layer["kept"] for layer in step.get("layers", ()))


def _measured(found: Mapping[str, Any], base: Mapping[str, Any], step: int | None) -> dict[str, Any]:
    main = headline(found)
    return {
        "split": "test",
        "step": step,
        **_shares(found, base),
        "nonzero": found.get("nonzero_params", found["params"]) / base["params"],
        "value": main and main.value,
        "low": main and main.low,
        "high": main and main.high,
        "as_cut": None,
        "rolled_back": False,
    }


def widths(runs: Sequence[Finished]) -> list[dict[str, Any]]:
    """``{name, size, kept: {run: channels}}`` of every group of any of the runs, in network order.

    `size` is that of the widest model that a run began with: a branch of another run begins with less.
    """
    found: dict[str, dict[str, Any]] = {}
    for run in runs:
        for group in run.result["groups"]:
            entry = found.setdefault(group["name"], {"name": group["name"], "size": group["size"], "kept": {}})
            entry["size"] = max(entry["size"], group["size"])
            entry["kept"][run.name] = group["kept"]
    return list(found.values())


def difference(first: Finished, second: Finished) -> dict[str, Any]:
    """Which units two plans for one model remove: both of them, or only one.

    Returns:
        ``{runs: [name, name], both, first, second, overlap, chance, groups: [{name, both, first, second}]}`` in units;
        `overlap` is the Jaccard index of the removed units, `chance` what plans of these sizes that choose at random
        would reach on average (the ratio of the expected counts). None where neither removes anything.

    Raises:
        ExplorerError: the plans are for different models.
    """
    if first.plan.base != second.plan.base:
        raise ExplorerError(
            f"{first.name} cuts {first.plan.base} and {second.name} {second.plan.base}: compare plans of one model"
        )
    groups, expected = [], 0.0
    for name, units in _units((first, second)).items():
        a, b = (set(run.plan.remove.get(name, ())) for run in (first, second))
        groups.append({"name": name, "both": len(a & b), "first": len(a - b), "second": len(b - a)})
        expected += len(a) * len(b) / units
    both, one, other = (sum(group[key] for group in groups) for key in ("both", "first", "second"))
    removed = both + one + other
    return {
        "runs": [first.name, second.name],
        "both": both,
        "first": one,
        "second": other,
        "overlap": both / removed if removed else None,
        "chance": expected / (2 * both + one + other - expected) if removed else None,
        "groups": groups,
    }


def _units(runs: Iterable[Finished]) -> dict[str, int]:
    """How many units the groups have that any of the runs cut; a result counts channels, a plan units."""
    found: dict[str, int] = {}
    for run in runs:
        for group in run.result["groups"]:
            removed = len(run.plan.remove.get(group["name"], ()))
            if removed:
                found[group["name"]] = group["size"] * removed // (group["size"] - group["kept"])
    return found


def origins(forest: Sequence[Branch], runs: Mapping[str, Finished]) -> dict[str, dict[str, float]]:
    """The share of the first model's macs and params that each run of a tree began with, by id; 1 at the roots.

    `runs` are by id; those that branched off a run without a result are left out, with what branched off them.
    """
    found: dict[str, dict[str, float]] = {}

    def visit(branch: Branch, start: dict[str, float]) -> None:
        run = runs.get(branch.run.id)
        if run is None:
            return
        found[branch.run.id] = start
        for child in branch.children:
            left = _shares(_point(run, child.run.parent_step), run.result["base"])
            visit(child, {kind: start[kind] * share for kind, share in left.items()})

    for root in forest:
        visit(root, {"macs": 1.0, "params": 1.0})
    return found


def _point(run: Finished, step: int | None) -> Mapping[str, Any]:
    """The step of that number, or the run's end."""
    return next((entry for entry in run.steps if entry["step"] == step), run.result["pruned"])
