"""The coverage table: every model is analysed, cut by 30 % everywhere, and compared with what it should be.

Each model runs in a process of its own, so that one that crashes, hangs or needs too much memory is a row that
says so and not the end of the table.
"""

import argparse
import copy
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from explorer.bench.families import make, names
from explorer.bench.kept import Kept, pipes
from explorer.bench.rows import Coverage
from explorer.errors import ExplorerError
from explorer.progress import Report, silent

TIME_LIMIT = 900.0  # seconds for one model
EXACT = 1e-4  # relative difference of logits that float32 explains
RATIO = 0.3  # of every group is cut


def coverage(wanted: Iterable[str], *, onnx: bool = True, report: Report = silent, kept: Path | None = None) -> list:
    """One row per model: see `row`; a model that did not get through has `error` instead.

    Args:
        wanted: patterns of names, as ``torchvision:resnet*``; none means all.
        kept: a file of finished rows, one JSON object a line; models that are in it are not run again.

    Raises:
        ExplorerError: no model has such a name, or the file holds something else.
    """
    patterns = list(wanted)
    chosen = [name for name in names() if not patterns or any(fnmatch(name, p) for p in patterns)]
    if not chosen:
        raise ExplorerError(f"no model is called {' or '.join(patterns)}: try torchvision:resnet* or hf:*")
    finished = Kept(kept, "model", Coverage)
    for position, name in enumerate(chosen):
        report(position / len(chosen), name)
        if name not in finished.rows:
            finished.add(isolated(name, onnx=onnx))
    return [finished.rows[name] for name in chosen]


def isolated(name: str, *, onnx: bool, limit: float = TIME_LIMIT) -> dict[str, Any]:
    """The row of one model, computed in a process of its own."""
    command = [sys.executable, "-m", "explorer.bench.coverage", name, *([] if onnx else ["--no-onnx"])]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {"model": name, "error": f"took longer than {limit:g} s"}
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        return {"model": name, "error": f"exit {result.returncode}: {last[:200]}"}
    return json.loads(result.stdout.splitlines()[-1])


def row(name: str, *, onnx: bool = True) -> dict[str, Any]:
    """What becomes of one model when 30 % of the units of every group leave.

    Returns:
        `params`, `groups`, `kinds` (how many of each), `blocked` (other than the outputs: reason → channels), the
        seconds of one `forward`, of the `analysis` and of the `trial` cut that proves it; `kept`, the fraction of
        parameters that stays; `mask` and `reload`, relative differences of logits from the cut model's, None for
        a mask that is not exact; `cost`, whether the closed form equals a count; `trains`, whether every
        parameter of the cut model gets a finite gradient in training mode; `onnx`, the relative difference.
    """
    from explorer.pruning import Plan, cut, mask
    from explorer.structure import analyse, count

    module, example = make(name)
    single = example[:1]
    with torch.no_grad():
        module(single)
        forward = _seconds(lambda: module(single))
    analysis = _seconds(lambda: analyse(module, single, trial=False))
    start = time.perf_counter()
    structure = analyse(module, single)
    trial = time.perf_counter() - start - analysis
    plan = Plan(name, {g.name: range(int(RATIO * g.units)) for g in structure.groups.values()})
    smaller = cut(module, structure, plan)
    inexact = [g.name for g in structure.groups.values() if not g.exact]
    with torch.no_grad():
        logits = smaller.module(example)
        masked = None if inexact else _difference(mask(module, structure, plan)(example), logits)
        reloaded = _difference(_reloaded(name, smaller.module, smaller.attributes)(example), logits)
    expected, counted = structure.cost(plan.kept(structure)), count(smaller.module, single)
    blocked = Counter()
    for part in structure.blocked:
        if "the model's outputs" not in part.reason:
            blocked[part.reason] += part.size
    return {
        "model": name,
        "params": sum(p.numel() for p in module.parameters()),
        "groups": len(structure.groups),
        "kinds": dict(Counter(g.kind for g in structure.groups.values())),
        "blocked": dict(blocked),
        "forward": forward,
        "analysis": analysis,
        "trial": trial,
        "kept": counted.params / structure.cost().params,
        "mask": masked,
        "cost": expected == counted,
        "reload": reloaded,
        "onnx": _onnx(smaller.module, example) if onnx else None,
        "trains": _trains(smaller.module, example),
    }


def _seconds(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _difference(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


def _reloaded(name: str, cut_module: nn.Module, attributes: dict[str, dict]) -> nn.Module:
    """The cut model from a fresh network and the tensors alone."""
    from explorer.structure import adapt

    fresh, _ = make(name)
    adapt(fresh, cut_module.state_dict(), copy.deepcopy(attributes))
    return fresh.eval()


def _trains(module: nn.Module, example: Tensor) -> bool:
    out = module.train()(example)
    sum(o.float().square().mean() for o in (out if isinstance(out, tuple) else (out,))).backward()
    module.eval()
    return all(p.grad is None or bool(p.grad.isfinite().all()) for p in module.parameters()) and any(
        p.grad is not None for p in module.parameters()
    )


def _onnx(module: nn.Module, example: Tensor) -> float | str:
    from explorer.export import check_onnx, export_onnx

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        try:
            export_onnx(module, example, path)
            return check_onnx(path, module, example, None)["max_rel_diff"]
        except ExplorerError as error:
            return str(error)


def is_green(found: dict[str, Any]) -> bool:
    """Whether nothing of a row falls short; parts that can't be cut count as falling short."""
    return (
        "error" not in found
        and not found["blocked"]
        and (found["mask"] is None or found["mask"] <= EXACT)
        and found["cost"]
        and found["reload"] == 0
        and found["trains"]
        and (found["onnx"] is None or isinstance(found["onnx"], float))
    )


HEADS = [
    "model", "groups", "forward s", "analysis s", "trial s", "params kept", "mask = cut", "cost = count", "trains",
    "reloads", "ONNX",
]  # fmt: skip


def cells(found: dict[str, Any]) -> list[str]:
    """A row for a person; what falls short is spelled out."""
    if "error" in found:
        return [found["model"], found["error"], *[""] * (len(HEADS) - 2)]
    short = "; ".join(f"{channels} channels: {reason}" for reason, channels in found["blocked"].items())
    mask, onnx = found["mask"], found["onnx"]
    return [
        found["model"],
        f"{found['groups']}" + (f" (not cuttable: {short})" if short else ""),
        f"{found['forward']:.2f}",
        f"{found['analysis']:.2f}",
        f"{found['trial']:.2f}",
        f"{found['kept']:.1%}",
        "not exact" if mask is None else f"{mask:.0e}" if mask <= EXACT else f"no: {mask:.1g}",
        "yes" if found["cost"] else "no",
        "yes" if found["trains"] else "no",
        "identical" if found["reload"] == 0 else f"no: {found['reload']:.1g}",
        "–" if onnx is None else onnx if isinstance(onnx, str) else f"{onnx:.0e}",
    ]


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table as Markdown, with a line that sums it up."""
    return f"{pipes(HEADS, [cells(row) for row in rows])}\n{summary(rows)}\n"


def summary(rows: list[dict[str, Any]]) -> str:
    green = sum(map(is_green, rows))
    return f"{green} of {len(rows)} models: every group cut by {RATIO:.0%}, nothing falls short."


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--no-onnx", action="store_true")
    arguments = parser.parse_args()
    print(json.dumps(row(arguments.name, onnx=not arguments.no_onnx)))
