"""A run of the page as a command that does the same."""

import shlex
from typing import Any

from explorer.methods import METHODS, Spec

NAMES = {"options": "option", "settings": "set", "ratios": "ratio", "locked": "lock", "input_shape": "input"}
ALWAYS = ("model", "data", "method", "criterion", "recover", "seed")


def command(spec: Spec, out: str = "pruned") -> str:
    """The prune command of a spec; a plan of single units needs a file and is none of its options."""
    usual = Spec(spec.model, spec.data, **{"method": spec.method, **METHODS[spec.method].defaults}).to_json()
    words = ["python", "-m", "explorer", "prune"]
    for key, value in spec.to_json().items():
        if key in ALWAYS or value != usual[key]:
            name = f"--{NAMES.get(key, key).replace('_', '-')}"
            words += [word for text in _texts(key, value) for word in (name, text)]
    return shlex.join([*words, "--out", out])


def _texts(key: str, value: Any) -> list[str]:
    """One text for each time that the option is given; numbers with all their digits."""
    if key == "input_shape":
        return ["x".join(map(str, value))]
    if isinstance(value, dict):
        return [f"{name}={item}" for name, item in value.items()]
    return value if isinstance(value, list) else [str(value)]
