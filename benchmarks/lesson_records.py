"""The recorded runs of the lessons: each run over seeds, and what they come to, as the lessons show it.

    python benchmarks/lesson_records.py NAME [--seeds 3] [--kept FOLDER] [--out assets/lessons/records]

NAME is one of iterate-short, iterate-long, zeros-or-channels and worth-it. One thread computes, one run after the
other, which takes minutes on a quiet processor. The results of runs that have ended stay in
the folder `kept`: a record that was interrupted, or that shares runs with another one, takes them from there.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a script's own folder is all that Python looks in

from explorer.files import write_json
from explorer.methods.asking import asked_for
from explorer.reading import read_object
from explorer.runs.execute import execute

MADE = "made"  # the day on which a kept result was computed
DIGITS = {"model": "demo:resnet20-digits", "data": "digits"}
LETTERS = {"model": "demo:resnet20-letters", "data": "letters"}
STEPS = 4  # cuts of IFAP
Results = Sequence[Mapping[str, Any]]
Value = dict[str, Any]


@dataclass(frozen=True)
class Arm:
    """One way of several that a record compares.

    Args:
        name: of its accuracy among the record's values.
        label: for a person.
        spec: of its runs, without the seed; see `explorer.methods.Spec`.
        settings: of the method.
        line: the curve that it is a point of, at its `epochs`; empty where there is none.
        epochs: of training, of all its steps together.
    """

    name: str
    label: str
    spec: Mapping[str, Any]
    settings: Mapping[str, str] = field(default_factory=dict)
    line: str = ""
    epochs: int = 0

    def run(self, seed: int) -> dict[str, Any]:
        """The result of one run, as its report tells it."""
        asked = {"method": "one-shot", **self.spec, "seed": seed}
        result = execute(asked_for(asked, dict(self.settings), None), None)
        return result.to_json() | {MADE: time.strftime("%Y-%m-%d", time.gmtime())}


def accuracy(arm: Arm, results: Results) -> list[Value]:
    """The mean over the seeds, from the lowest to the highest; of a single seed its value."""
    shares = [100 * result["pruned"]["top1"] for result in results]
    mean = f"mean of {_seeds(results)}, from the lowest to the highest" if len(results) > 1 else _seeds(results)
    said = f"top-1 on {results[0]['pruned']['samples']:,} test images, {mean}"
    return [_value(arm.name, arm.label, shares, "%", said)]


def whole(results: Results) -> Value:
    """The accuracy of the network that was pruned."""
    base = results[0]["base"]
    said = f"top-1 on {base['samples']:,} test images"
    return {"name": "whole", "label": "whole", "value": round(100 * base["top1"], 2), "unit": "%", "about": said}


def savings(arm: Arm, results: Results) -> list[Value]:
    """Accuracy, size of the file, and time beside the whole network."""
    timed = [next(each for each in result["against_base"]["latency"] if each["batch"] == 32) for result in results]
    low, high = min(each["low"] for each in timed), max(each["high"] for each in timed)
    packed = [result["pruned"].get("compressed_bytes", result["pruned"]["size_bytes"]) / 1e3 for result in results]
    plain = [result["pruned"]["size_bytes"] / 1e3 for result in results]
    return [
        *accuracy(arm, results),
        _value(f"{arm.name}_file", f"{arm.label}: file", plain, "kB", "weights as they are loaded"),
        _value(f"{arm.name}_packed", f"{arm.label}: packed", packed, "kB", "zeros packed as one bit each"),
        {
            "name": f"{arm.name}_time",
            "label": f"{arm.label}: time",
            "value": round(100 * float(np.mean([each["ratio"] for each in timed])), 1),
            "low": round(100 * low, 1),
            "high": round(100 * high, 1),
            "unit": "%",
            "about": f"of the whole network's, 32 pictures at a time, timed in turns, {_seeds(results)}",
        },
    ]


def _seeds(results: Results) -> str:
    return "1 seed" if len(results) == 1 else f"{len(results)} seeds"


def _value(name: str, label: str, numbers: Sequence[float], unit: str, about: str) -> Value:
    found = {"name": name, "label": label, "value": round(float(np.mean(numbers)), 2), "unit": unit, "about": about}
    if len(numbers) > 1:
        found |= {"low": round(min(numbers), 2), "high": round(max(numbers), 2)}
    return found


@dataclass(frozen=True)
class Record:
    """What a lesson shows of runs.

    Args:
        about: what was run, in a sentence without the number of seeds.
        arms: the ways compared.
        values: what is told of one of them.
    """

    about: str
    arms: tuple[Arm, ...]
    values: Callable[[Arm, Results], list[Value]] = accuracy


def _gradual(epochs: int) -> tuple[Arm, Arm]:
    """IFAP beside a single cut, to a tenth of the MACs, with as many epochs of distillation in all."""
    few = {**DIGITS, "keep": {"macs": 0.1}, "criterion": "flow"}
    iterated = {**few, "method": "ifap", "steps": STEPS, "epochs": epochs // STEPS}
    once = {**few, "recover": "distill", "epochs": epochs}
    return (
        Arm(f"ifap_{epochs}", f"IFAP, {epochs} epochs", iterated, {"max_drop": "1"}, "IFAP", epochs),
        Arm(f"once_{epochs}", f"at once, {epochs} epochs", once, {}, "at once", epochs),
    )


_FEW = {**LETTERS, "keep": {"macs": 0.2}, "criterion": "group-norm", "epochs": 3}
RECORDS = {
    "iterate-short": Record("ResNet-20 on digits to a tenth of the MACs: four cuts or one, 4 epochs.", _gradual(4)),
    "iterate-long": Record(
        "ResNet-20 on digits to a tenth of the MACs: four cuts or one, 4 and 12 epochs.", _gradual(4) + _gradual(12)
    ),
    "zeros-or-channels": Record(
        "ResNet-20 on digits: DG2PF to 90 % zeros in 4 epochs and 4 of tuning; half of the MACs and 4 epochs.",
        (
            Arm("zeros", "90 % zeros", {**DIGITS, "method": "dg2pf", "sparsity": 0.9, "steps": 4, "epochs": 4}),
            Arm(
                "channels",
                "half the MACs",
                {**DIGITS, "keep": {"macs": 0.5}, "criterion": "group-norm", "recover": "finetune", "epochs": 4},
            ),
        ),
        savings,
    ),
    "worth-it": Record(
        "ResNet-20 on letters to a fifth of the MACs, 3 epochs of training each, at the same peak rate.",
        (
            Arm("pruned", "pruned by group magnitude", {**_FEW, "recover": "finetune"}),
            Arm("random", "random channels pruned", {**_FEW, "criterion": "random", "recover": "finetune"}),
            Arm("scratch", "same widths from scratch", {**_FEW, "recover": "scratch"}),
        ),
    ),
}


def recorded(name: str, seeds: int, kept: Path) -> dict[str, Any]:
    """The document of a record, as `explorer.learning.lessons.recorded.Recording` reads it."""
    record = RECORDS[name]
    results = {arm.name: [_result(arm, seed, kept) for seed in range(seeds)] for arm in record.arms}
    runs = [result for each in results.values() for result in each]
    values = [value for arm in record.arms for value in record.values(arm, results[arm.name])]
    document = {
        "command": f"OMP_NUM_THREADS=1 python benchmarks/lesson_records.py {name} --seeds {seeds}",
        "date": max(result[MADE] for result in runs),
        "about": f"{record.about} {_seeds(runs[:seeds])}, one thread of a processor.",
        "values": [whole(runs), *values],
    }
    return document | _curves(record, results)


def _curves(record: Record, results: Mapping[str, Results]) -> dict[str, Any]:
    """The lines of a record whose arms lie on some, through the means."""
    lines: dict[str, list[list[float]]] = {}
    for arm in record.arms:
        if arm.line:
            (value,) = accuracy(arm, results[arm.name])
            lines.setdefault(arm.line, []).append([arm.epochs, value["value"]])
    if all(len(points) < 2 for points in lines.values()):
        return {}
    drawn = [{"label": label, "points": points} for label, points in lines.items()]
    return {"axes": {"x": "Epochs of training in all", "y": "Top-1 (%)"}, "lines": drawn}


def _result(arm: Arm, seed: int, kept: Path) -> dict[str, Any]:
    """The result of a run, from the folder where it is kept, or run now."""
    file = kept / f"{arm.name}-{seed}.json"
    if not file.exists():
        print(f"{arm.label}, seed {seed}", file=sys.stderr)
        write_json(file, arm.run(seed))
    return read_object(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RECORDS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kept", type=Path, default=Path("lesson-runs"))
    parser.add_argument("--out", type=Path, default=Path("assets/lessons/records"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.kept.mkdir(parents=True, exist_ok=True)
    write_json(asked.out / f"{asked.name}.json", recorded(asked.name, asked.seeds, asked.kept))


if __name__ == "__main__":
    main()
