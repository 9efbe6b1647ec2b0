"""Measuring two ways of doing the same thing side by side in one run, and reporting the ratio."""

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a script's own folder is all that Python looks in


def fastest(*ways: Callable[[], Any], repeats: int = 3) -> list[float]:
    """Least seconds of each way, the ways taking turns so that a busy moment hits all of them."""
    seconds: list[list[float]] = [[] for _ in ways]
    for _ in range(repeats):
        for way, taken in zip(ways, seconds, strict=True):
            start = time.perf_counter()
            way()
            taken.append(time.perf_counter() - start)
    return [min(taken) for taken in seconds]


def machine() -> dict[str, Any]:
    """The facts that a reader needs to place the numbers."""
    import torch

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    }


def options(description: str, **defaults: Any) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    return parser.parse_args()


def present(rows: list[dict[str, Any]], ratios: dict[str, float], *, as_json: bool) -> None:
    """Print a table, or one object with the rows, the ratios and the machine's facts."""
    if as_json:
        print(json.dumps({"rows": rows, "ratios": ratios, "machine": machine()}))
        return
    header = list(rows[0])
    cells = [[_cell(row[key]) for key in header] for row in rows]
    widths = [max(len(h), *(len(c[i]) for c in cells)) for i, h in enumerate(header)]
    for line in [header, *cells]:
        print("  ".join(value.rjust(width) for value, width in zip(line, widths, strict=True)))
    print(f"\nmedian ratio {statistics.median(ratios.values()):.2f}   {machine()}", file=sys.stdout)


def _cell(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
