"""What a run costs besides training and scoring: measuring, cutting, remembering, tracking, exporting and checking.

    python benchmarks/run_overhead.py [--json] [--model demo:resnet20-digits] [--steps 4] [--epochs 4]

The same IFAP run twice: as a person starts it, with finished steps kept, history tracked and the bundle checked, and
its training and scoring alone, timed inside it. The ratio is the share of the run's time that is neither; `bare` is the
same run that writes nothing.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sidebyside import options, present

from explorer.methods import METHODS, steps
from explorer.runs.execute import execute
from explorer.runs.spec import Spec
from explorer.runs.tracking import MLflow
from explorer.sources import load_pair


class Clock:
    """Adds up the seconds spent in functions of a module while it is open."""

    def __init__(self, module: Any, *names: str) -> None:
        self._module, self._names, self.seconds = module, names, 0.0

    def __enter__(self) -> "Clock":
        self._originals = {name: getattr(self._module, name) for name in self._names}
        for name, function in self._originals.items():
            setattr(self._module, name, self._timed(function))
        return self

    def __exit__(self, *_: object) -> None:
        for name, function in self._originals.items():
            setattr(self._module, name, function)

    def _timed(self, function: Callable) -> Callable:
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - start

        return timed


def timed(name: str, run: Callable[[], Any]) -> dict[str, Any]:
    with Clock(steps, "score", "recover") as clock:
        start = time.perf_counter()
        run()
        seconds = time.perf_counter() - start
    share = 1 - clock.seconds / seconds
    return {"run": name, "seconds": seconds, "training and scoring": clock.seconds, "share of the rest": share}


def main() -> None:
    chosen = options(__doc__, model="demo:resnet20-digits", steps=4, epochs=4)
    data = load_pair(chosen.model)[1].ref
    asked = METHODS["ifap"].defaults | {"steps": chosen.steps, "epochs": chosen.epochs, "keep": {"macs": 0.5}}
    spec = Spec(chosen.model, data, method="ifap", max_drop=1.0, **asked)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        rows = [
            timed("whole", lambda: execute(spec, out, tracker=MLflow(Path(folder)))),
            timed("bare", lambda: METHODS["ifap"].function(spec)),
        ]
    present(rows, {row["run"]: row["share of the rest"] for row in rows}, as_json=chosen.json)


if __name__ == "__main__":
    main()
