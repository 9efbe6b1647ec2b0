"""A folder of runs as this program leaves them, and everything that can happen to a file, told apart by a seed."""

import copy
import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from explorer.methods.spec import Spec
from explorer.methods.tools.stages import Record
from explorer.places import ASSETS
from explorer.runs.checkpoint import Checkpoint
from explorer.runs.queue.job import FILE, Job
from explorer.sealed import sealed
from explorer.sources import load_model

MODEL = "demo:vgg-digits"
JOB = "20260101-000000-0123456789ab"
VALUES: tuple[Any, ...] = (
    *(None, "", "x", [], {}, True, 0, -1, 1, 10**18, 1e300, -1e300, 0.5, 1.5, [[]], {"a": {"a": 1}}, ["x"], [1, 2]),
    *("../../etc/passwd", "\ud800", "x" * 200_000, "🙂\n# <b>"),
)


def measured(value: float, params: int, macs: int) -> dict[str, Any]:
    latency = {"device": "cpu", "batch": 1, "median_ms": 1.0, "low_ms": 0.9, "high_ms": 1.1}
    found = {"params": params, "macs": macs, "size_bytes": 4 * params, "latency_ms": 1.0, "latency": [latency]}
    return found | {"metric": "top1", "top1": value, "top1_low": value - 0.02, "top1_high": value + 0.01, "samples": 99}


def step(number: int, macs: int, **facts: Any) -> dict[str, Any]:
    return {"step": number, "macs": macs, "params": macs, "top1_before": 0.5, "top1_after": 0.7, **facts}


def report(id: str, out: Path, **settings: Any) -> dict[str, Any]:
    """The report of a run that cut a bundled network in two steps."""
    loaded = load_model(MODEL)
    spec = Spec(**{"model": MODEL, "data": "digits", "method": "ifap", "keep": {"macs": 0.5}, **settings})
    check = {"name": "model.onnx in onnxruntime", "batches": [1, 2], "max_abs_diff": 1e-6, "tolerance": 1e-3}
    return {
        "base": measured(0.9, 200, 400),
        "as_cut": measured(0.2, 150, 100),
        "pruned": measured(0.8, 150, 100),
        "achieved": {"params": 0.75, "macs": 0.25},
        "groups": [{"name": "a", "size": 8, "kept": 4}, {"name": "b", "size": 12, "kept": 12}],
        "recovery": {"recovery": "finetune", "metric": "top1", "epochs": [{"loss": 1.0}, {"loss": 0.5}]},
        "steps": [step(1, 300, rolled_back=False, folder="steps/01"), step(2, 200, rolled_back=True)],
        "seconds": 60.0,
        "stages": {"base": 1.0},
        "warnings": ["batch halved"],
        "spec": spec.to_json(),
        "id": id,
        "created": 1.7e9,
        "parent": None,
        "title": "VGG, pruned",
        "model": MODEL,
        "data": "digits",
        "trained": True,
        "architecture": loaded.architecture,
        "attributes": {},
        "input_shape": list(loaded.input_shape),
        "classes": [str(digit) for digit in range(10)],
        "kind": loaded.kind,
        "tokenizer": False,
        "normalisation": {"mean": [0.5], "std": [0.25]},
        "onnx": {"max_abs_diff": 1e-6, "exporter": "dynamo"},
        "checks": [check | {"agreement": 1.0, "samples": 99, "top1_onnx": 0.8}],
        "out": str(out),
    }


def bundle(folder: Path, id: str, **settings: Any) -> dict[str, Any]:
    """Writes a finished run, and gives its report."""
    folder.mkdir(parents=True)
    told = report(id, folder, **settings)
    (folder / "report.json").write_text(json.dumps(told))
    (folder / "plan.json").write_text(json.dumps({"base": MODEL, "remove": {"a": [0, 1, 2, 3]}}))
    shutil.copy(ASSETS / "vgg-digits.safetensors", folder / "weights.safetensors")
    return told


def job(root: Path, name: str = JOB, owner: str = "") -> Job:
    """Writes a finished run of the app."""
    folder = root / name
    told = bundle(folder / "bundle", name[-12:], seed=int(name[-4:], 16))
    request = {"kind": "prune", "spec": told["spec"]}
    made = Job(name[-12:], owner, "VGG", request, "cpu", str(folder), state="done", result=told, key="prune")
    for number, macs in enumerate((400, 300, 200)):
        point = {"step": number, "macs": macs, "params": macs, "rolled_back": 0, "top1": 0.9, "width/a": 8 - number}
        made.progress(number / 3, f"step {number}", point, at=1.7e9 + number)
    made.progress(0.9, "training", {"loss": 1.0, "top1": 0.5}, at=1.7e9)
    made.created, made.started, made.finished, made.fraction = 1.7e9, 1.7e9, 1.7e9 + 60, 1.0
    made.save()
    made.keep({"event": "warning", "job": made.id, "message": "batch halved"})
    return made


def interrupted(folder: Path) -> None:
    """Writes what a run of the command line has left."""
    with Checkpoint(folder, Spec(MODEL, "digits"), resume=False) as checkpoint:
        checkpoint("step-01", lambda: Record({"a": 1}))
    (folder / "run.json").write_text(json.dumps({"id": "stopped", "created": 1.7e9, "parent": None}))


def documents(root: Path) -> list[Path]:
    """Every document of the runs in a folder but for those of ``whole``."""
    found = [path for kind in ("json", "jsonl") for path in root.rglob(f"*.{kind}")]
    return sorted(path for path in found if path.relative_to(root).parts[0] != "whole")


def damages(path: Path, seed: int, count: int) -> Iterator[str]:
    """Damages a file in `count` ways, one after the other, and says what each is; in the end it is as it was."""
    original = path.read_bytes()
    generator = random.Random(f"{path.name} {seed}")
    ways = [*FILES, *["field"] * max(0, count - len(FILES))]
    try:
        for way in ways[:count] if count < len(FILES) else ways:
            said = _field(path, original, generator) if way == "field" else way
            if way != "field":
                FILES[way](path, original)
            yield f"{path.name}: {said}"
            _away(path)
            path.write_bytes(original)
    finally:
        _away(path)
        path.write_bytes(original)


def _away(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    elif os.path.lexists(path):
        path.unlink()


def _pipe(path: Path, content: bytes) -> None:
    path.unlink()
    os.mkfifo(path)


def _directory(path: Path, content: bytes) -> None:
    path.unlink()
    path.mkdir()


def _loop(path: Path, content: bytes) -> None:
    path.unlink()
    path.symlink_to(path)


def _huge(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.truncate(2**31)


FILES = {
    "truncated": lambda path, content: path.write_bytes(content[: len(content) // 2]),
    "empty": lambda path, content: path.write_bytes(b""),
    "bytes": lambda path, content: path.write_bytes(b"\xff\xfe\x00" + content[3:]),
    "nested": lambda path, content: path.write_bytes(b"[" * 100_000),
    "nested in its place": lambda path, content: path.write_bytes(b'{"a":' * 5_000 + b"1" + b"}" * 5_000),
    "NaN": lambda path, content: path.write_bytes(content.replace(b"0.5", b"NaN").replace(b"1.0", b"1e999")),
    "a list": lambda path, content: path.write_bytes(b"[1]"),
    "a number": lambda path, content: path.write_bytes(b"9" * 10_000),
    "a text": lambda path, content: path.write_bytes(b'"x"'),
    "an object": lambda path, content: path.write_bytes(b"{}"),
    "twice": lambda path, content: path.write_bytes(content + content),
    "huge": _huge,
    "pipe": _pipe,
    "directory": _directory,
    "loop": _loop,
}


def _field(path: Path, content: bytes, generator: random.Random) -> str:
    """Replaces one value anywhere in the document, or leaves it out."""
    lines = path.suffix == ".jsonl"
    document = [json.loads(line) for line in content.splitlines() if line] if lines else json.loads(content)
    changed = copy.deepcopy(document)
    places = list(_places(changed))
    place, key = generator.choice(places)
    value = generator.choice([*VALUES, _Gone])
    if value is _Gone:
        del place[key]
    else:
        place[key] = copy.deepcopy(value)
    if path.name == FILE and generator.random() < 0.7:  # what is no accident, or of a version that set no seal
        changed.pop("seal", None)
        changed = sealed(changed) if generator.random() < 0.5 else changed
    text = "\n".join(map(json.dumps, changed)) if lines else json.dumps(changed)
    path.write_text(text)
    return f"{key!r} is {str(value)[:40]!a}"


class _Gone:
    """Stands for a key that is left out."""


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a document: what it lies in, and its key there."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])
