"""The recorded runs that lessons show: what the script makes of results, and that every record names its command."""

import json
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest

from explorer.learning.lessons.reading import FOLDER, RECORDS
from explorer.learning.lessons.recorded import Recording, read_recording

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "benchmarks" / "lesson_records.py"
FILES = sorted((FOLDER / RECORDS).glob("*.json"))


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def result(top1: float) -> dict[str, Any]:
    return {"base": {"top1": 0.9, "samples": 1000}, "pruned": {"top1": top1, "samples": 1000}, "made": "2026-11-30"}


def test_a_record_tells_the_mean_over_seeds_and_how_far_they_lie_apart(script: dict[str, Any], tmp_path: Path) -> None:
    for arm, shares in {"pruned": (0.8, 0.84), "random": (0.7, 0.7), "scratch": (0.5, 0.4)}.items():
        for seed, share in enumerate(shares):
            (tmp_path / f"{arm}-{seed}.json").write_text(json.dumps(result(share)))
    document = script["recorded"]("worth-it", 2, tmp_path)
    found = {value.name: (value.value, value.low, value.high) for value in Recording.model_validate(document).values}
    assert found["pruned"] == (82.0, 80.0, 84.0)
    assert found["random"] == (70.0, 70.0, 70.0)
    assert found["scratch"] == (45.0, 40.0, 50.0)
    assert found["whole"] == (90.0, None, None)


def test_a_curve_goes_through_the_means_at_each_length(script: dict[str, Any], tmp_path: Path) -> None:
    for arm, share in {"ifap_4": 0.5, "once_4": 0.6, "ifap_12": 0.9, "once_12": 0.8}.items():
        (tmp_path / f"{arm}-0.json").write_text(json.dumps(result(share)))
    lines = {line.label: line.points for line in _recording(script, "iterate-long", tmp_path).lines}
    assert lines == {"IFAP": [[4, 50.0], [12, 90.0]], "at once": [[4, 60.0], [12, 80.0]]}
    assert not _recording(script, "iterate-short", tmp_path).lines


def _recording(script: dict[str, Any], name: str, kept: Path) -> Recording:
    return Recording.model_validate(script["recorded"](name, 1, kept))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_record_names_the_command_that_makes_it_again(script: dict[str, Any], file: Path) -> None:
    threads, program, path, name, *_ = shlex.split(read_recording(file).command)
    assert (threads, program, ROOT / path, name) == ("OMP_NUM_THREADS=1", "python", SCRIPT, file.stem)
    assert name in script["RECORDS"]
