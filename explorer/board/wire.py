"""The board's document on its way to a browser: what is heavy travels once, what a drag changes is small."""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

VOLATILE = ("removed", "locked")  # of a group: what a drag changes
OUT = "out"  # of a block: the same


def split(document: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What stays while a person drags, its arrays packed, and what changes; both have the former's `id`."""
    fixed = {
        **{name: document[name] for name in ("cost", "whole", "links", "range", "metric", "latency")},
        "groups": [_packed(group) for group in document["groups"]],
        "blocks": [{name: value for name, value in block.items() if name != OUT} for block in document["blocks"]],
    }
    digest = hashlib.sha256(json.dumps(fixed).encode()).hexdigest()
    changing: dict[str, Any] = {name: [group[name] for group in document["groups"]] for name in VOLATILE}
    changing[OUT] = [block[OUT] for block in document["blocks"]]
    changing.update({name: document[name] for name in ("target", "revision")}, id=digest)
    return {**fixed, "id": digest}, changing


def _packed(group: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in group.items() if name not in VOLATILE}
    for name, dtype in (("scores", "<f4"), ("order", "<u4"), ("flow", "<f4")):
        if kept[name] is not None:
            kept[name] = base64.b64encode(np.asarray(kept[name], dtype).tobytes()).decode()
    return kept
