"""JSON as the standard has it."""

import json
import math
from collections.abc import Mapping
from typing import Any


def dumps(document: Any, indent: int | None = None) -> str:
    """Strict JSON: NaN and infinities, for which it has no word, become null."""
    return json.dumps(_finite(document), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
