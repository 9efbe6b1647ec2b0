"""Seconds from asking to the answer: short jobs, and repairs after a release, alone and beside a training.

    python benchmarks/lanes.py [--json] [--models demo:resnet20-digits,…] [--training demo:vgg-shapes] [--repeats 5]

A desk with real workers is asked as the pages ask it. `first s` has what a worker does once for a model: for the first
row its start, for each model reading it and its data. A repair is that of another half of every group each time, so
that no answer is known already. Then a network is trained in the long lane, and the same is asked again; `ratio` is
the one median over the other.
"""

import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sidebyside import options, present

from explorer.methods.spec import Spec
from explorer.runs.queue.desk import Desk
from explorer.sources import load_model
from explorer.structure import analyse

MODELS = "demo:resnet20-digits,demo:vgg-digits,demo:vit-digits,demo:resnet20-shapes,demo:vgg-shapes,demo:vit-shapes"
PATIENCE = 300
_cuts = itertools.count()


def score(desk: Desk, ref: str) -> Callable[[], None]:
    """A short job: the scores of a criterion that looks at inputs."""
    spec = Spec(ref, data_of(ref), criterion="taylor", device="cpu").to_json()

    def once() -> None:
        id = desk.submit({"kind": "score", "spec": spec})
        until(lambda: desk.job(id).final)
        if desk.job(id).state != "done":
            sys.exit(f"scoring {ref}: {desk.job(id).error}")

    return once


def repair(desk: Desk, ref: str) -> Callable[[], None]:
    """A question: what a half of every group costs after a repair without training."""
    model = load_model(ref)
    units = {name: group.units for name, group in analyse(model.module, model.example()).groups.items()}

    def once() -> None:
        cut = next(_cuts)
        plan = {name: tuple({(cut + unit) % count for unit in range(count // 2)}) for name, count in units.items()}
        asked = desk.ask(
            {"kind": "repair", "spec": Spec(ref, data_of(ref), plan=plan, device="cpu").to_json()}, "bench", ref
        )
        if not asked.wait(PATIENCE) or asked.error:
            sys.exit(f"repairing {ref}: {asked.error or 'no answer'}")

    return once


def data_of(ref: str) -> str:
    return ref.rpartition("-")[2]


def until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not reached():
        if time.monotonic() > end:
            sys.exit(f"nothing came of it within {PATIENCE} s")
        time.sleep(0.01)


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(desk: Desk, chosen: Any) -> list[dict[str, Any]]:
    models = chosen.models.split(",")
    works = {f"score {models[0]}": score(desk, models[0])} | {f"repair {ref}": repair(desk, ref) for ref in models}
    rows = {}
    for name, work in works.items():
        first, *again = [seconds(work) for _ in range(chosen.repeats + 1)]
        rows[name] = {"work": name, "first s": first, "alone s": statistics.median(again)}
    spec = Spec(
        chosen.training,
        data_of(chosen.training),
        keep={"macs": 0.5},
        recover="finetune",
        epochs=100_000,
        device="cpu",
    )
    training = desk.submit(spec)
    until(lambda: any("loss" in entry for entry in desk.job(training).history))
    for name, work in works.items():
        beside = statistics.median(seconds(work) for _ in range(chosen.repeats))
        rows[name] |= {"beside a training s": beside, "ratio": beside / rows[name]["alone s"]}
    desk.cancel(training)
    until(lambda: desk.job(training).final)
    return list(rows.values())


def main() -> None:
    chosen = options(__doc__, models=MODELS, training="demo:vgg-shapes", repeats=5)
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        try:
            rows = measure(desk, chosen)
        finally:
            desk.close()
    present(rows, {row["work"]: row["ratio"] for row in rows}, as_json=chosen.json)


if __name__ == "__main__":
    main()
