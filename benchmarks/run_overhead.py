"""What a run costs besides training and scoring: measuring, the bundle and its checks, the history, keeping its steps.

    python benchmarks/run_overhead.py [--json] [--model demo:resnet20-digits] [--steps 10] [--epochs 8] [--runs 1]

An IFAP run as a person starts it, with the clock at the doors of its parts; the defaults are those of the command line.
The ratio, `rest`, is the share of the run's time that is neither training nor scoring. The first run pays for what a
process loads and makes once; with more `--runs` the others don't, as in the app's worker.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from sidebyside import options, present

from explorer.methods import METHODS
from explorer.methods.spec import Spec
from explorer.methods.tools import steps, trajectory
from explorer.runs import execute
from explorer.runs.history.tracking import MLflow
from explorer.sources import load_pair

DOORS = {
    "training": [(steps, "recover")],
    "scoring": [(steps, "score")],
    "measuring": [(steps, "measure"), (trajectory, "evaluate")],
    "bundle": [(execute, "write_bundle")],
    "history": [(MLflow, "begin"), (MLflow, "finished")],
}


@contextmanager
def clocked() -> Iterator[Counter]:
    """Seconds spent behind each of the doors; none is inside another."""
    seconds: Counter = Counter()

    def timed(part: str, function: Callable) -> Callable:
        def work(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                seconds[part] += time.perf_counter() - start

        return work

    with ExitStack() as stack:
        for part, places in DOORS.items():
            for owner, name in places:
                stack.enter_context(mock.patch.object(owner, name, timed(part, getattr(owner, name))))
        yield seconds


def made(name: str, spec: Spec, folder: Path) -> dict[str, Any]:
    with clocked() as parts:
        start = time.perf_counter()
        execute.execute(spec, folder / name, tracker=MLflow(folder))
        seconds = time.perf_counter() - start
    other = seconds - sum(parts.values())
    share = 1 - (parts["training"] + parts["scoring"]) / seconds
    return {"run": name, "seconds": seconds, **{part: parts[part] for part in DOORS}, "other": other, "rest": share}


def main() -> None:
    chosen = options(__doc__, model="demo:resnet20-digits", steps=10, epochs=8, runs=1)
    data = load_pair(chosen.model)[1].ref
    asked = METHODS["ifap"].defaults | {"steps": chosen.steps, "epochs": chosen.epochs, "keep": {"macs": 0.5}}
    spec = Spec(chosen.model, data, method="ifap", settings={"max_drop": "1.0"}, **asked)
    with tempfile.TemporaryDirectory() as folder:
        rows = [made(f"run {number}", spec, Path(folder)) for number in range(1, chosen.runs + 1)]
    present(rows, {row["run"]: row["rest"] for row in rows}, as_json=chosen.json)


if __name__ == "__main__":
    main()
