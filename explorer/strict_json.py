"""JSON as the standard has it, and checks of what a parsed document holds."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[object], bool]


def dumps(document: Any, indent: int | None = None) -> str:
    """Strict JSON: NaN and infinities, for which it has no word, become null."""
    return json.dumps(_finite(document), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def is_text(value: object) -> bool:
    return isinstance(value, str)


def is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    return is_integer(value) or isinstance(value, float)


def is_list(of: Check) -> Check:
    """The check for lists whose items pass `of`."""
    return lambda value: isinstance(value, list | tuple) and all(of(item) for item in value)


def is_table(of: Check) -> Check:
    """The check for objects whose values pass `of`."""
    return lambda value: isinstance(value, Mapping) and all(is_text(key) and of(item) for key, item in value.items())
