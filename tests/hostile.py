"""Texts that ask a page, a terminal or a file to do something, and documents full of them."""

import json
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

from explorer.methods.spec import Spec

HOST = "evil.example"
TEXTS = (
    f"![x](http://{HOST}/a.png)",
    f"[click](http://{HOST})",
    f"<img src=http://{HOST}/b.png onerror=alert(1)>",
    f"<script>alert(1)</script><iframe src=http://{HOST}></iframe>",
    f"https://{HOST}/a_b?c=d",
    f"www.{HOST}",
    f"write to a@{HOST} now",
    f"mailto:a@{HOST}",
    f"<http://{HOST}>",
    f"[a][1] [1]: http://{HOST}",
    f"[^1] and [^1]: http://{HOST}",
    "[a](javascript:alert(1))",
    ":red[loud] :blue-badge[x] :material/home: :smile: :streamlit: ::leaf[x] :small",
    "$x^2$ and $$y$$ &lt;b&gt; &#58;",
    "# head **bold** _slanted_ ~~gone~~ `code` | a | b |",
    "100. one",
    "- item",
    "> quote -> x -- y <= z",
    "a\n===\n    code\n```\nfence",
    "right\u202eto\u2066left\x1b[31mred\x1b]0;title\x07\x00nul",
    "odd \ud800 half",
    "=cmd|' /C calc'!A0",
    "long" * 100,
)
"""Each of another kind: images, links in all their forms, tags, directives, formulas, marks, steering characters."""


def read(text: str) -> str:
    """A text as a person sees it, without the characters that have no width and in one line."""
    return " ".join(text.replace("\u2060", "").split())


def infected(document: Any, kept: frozenset[str], texts: Iterator[str] | None = None) -> Any:
    """The document with another hostile text for every text in it, except under the keys `kept`."""
    texts = cycle(TEXTS) if texts is None else texts
    if isinstance(document, dict):
        return {key: value if key in kept else infected(value, kept, texts) for key, value in document.items()}
    if isinstance(document, list):
        return [infected(value, kept, texts) for value in document]
    return next(texts) if isinstance(document, str) else document


MEANT = frozenset(
    "kind state model data method criterion recover allocate normalise metric recovery block_order teacher runtime "
    "owner id directory key device_kind ref".split()
)
"""Keys of a job or a report whose texts decide what is done, so that a document with others of them is no run."""
_SPEC = Spec("demo:resnet20-digits", "digits", keep={"macs": 0.5}, recover="none").to_json()
_COST = {"params": 200_000, "macs": 30_000_000, "size_bytes": 1_000_000, "latency_ms": 1.5}


def _measured(value: float, cost: float) -> dict[str, Any]:
    costs = {name: type(amount)(amount * cost) for name, amount in _COST.items()}
    quality = {"metric": "top1", "top1": value, "top1_low": value - 0.02, "top1_high": value + 0.01, "samples": 100}
    return {**costs, **quality, "latency": [{"device": "CPU", "median_ms": 1.0}]}


def _result() -> dict[str, Any]:
    return {
        "base": _measured(0.95, 1.0), "as_cut": _measured(0.4, 0.5), "pruned": _measured(0.9, 0.5),
        "achieved": {"params": 0.5, "macs": 0.5},
        "groups": [{"name": name, "size": 16, "kept": 8} for name in ("conv1", "layer1.0.conv1", "layer2")],
        "blocked": [{"name": "fc", "size": 10, "reason": "outputs"}],
        "recovery": {"recovery": "none", "epochs": []},
        "warnings": [f"warning {number}" for number in TEXTS],
        "steps": [], "seconds": 60.0, "spec": _SPEC, "device": "CPU", "title": "A network", "id": "a36f2e2df42f",
        "model": _SPEC["model"], "data": _SPEC["data"], "input_shape": [1, 8, 8], "kind": "image-classification",
        "classes": ["one", "two"], "attributes": {}, "trained": True, "tokenizer": False,
        "versions": {"torch": "2"}, "onnx": {"reason": "none"},
        "checks": [{"name": f"{text} is the same", "batches": [1, 2], "max_abs_diff": 0.5, "tolerance": 1.0}
                   for text in TEXTS],
    }  # fmt: skip


def hostile_run(root: Path, owner: str, number: int = 0, *, state: str = "done", kept: frozenset[str] = MEANT) -> Path:
    """A run of the app in the folder `root` with another hostile text for every text that is not under a key `kept`."""
    folder = root / f"20260101-00000{number}-{number:012x}"
    texts = cycle([*TEXTS[number:], *TEXTS[:number]])
    result = infected(_result(), kept, texts)
    job = {
        "id": f"{number:012x}",
        "owner": owner,
        "title": "t",
        "request": {"kind": "prune", "spec": _SPEC},
        "device": "cpu",
        "directory": str(folder),
        "state": state,
        "message": "m",
        "error": "failed because",
        "warnings": [f"warning {number}" for number in TEXTS],
        "key": "prune",
        "created": 1.8e9,
        "history": [],
    }
    bundle = folder / "bundle"
    bundle.mkdir(parents=True)
    done = {"result": result} if state == "done" else {}
    (folder / "job.json").write_text(json.dumps(infected(job, kept, texts) | done))
    (bundle / "report.json").write_text(json.dumps(result))
    remove = {"layer3.0.conv1": [0, 1, 2]}
    (bundle / "plan.json").write_text(json.dumps({"base": result["model"], "remove": remove}))
    for file in ("weights.safetensors", "README.md", "load.py"):
        (bundle / file).write_bytes(b"")
    return folder
