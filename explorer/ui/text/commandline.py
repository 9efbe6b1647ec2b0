"""A run of the page as a command that does the same."""

import shlex
from dataclasses import fields
from typing import Any

from explorer.methods import METHODS
from explorer.methods.spec import Spec

NAMES = {"options": "option", "settings": "set", "ratios": "ratio", "locked": "lock", "input_shape": "input"}
ALWAYS = ("model", "data", "method", "criterion", "recover", "seed")


def command(spec: Spec, out: str = "pruned") -> str:
    """The prune command of a spec; a plan of single units needs a file and is none of its options."""
    usual = Spec(spec.model, spec.data, **{"method": spec.method, **METHODS[spec.method].defaults})
    words = ["python", "-m", "explorer", "prune"]
    for entry in fields(Spec):
        value = getattr(spec, entry.name)
        if entry.name in ALWAYS or value != getattr(usual, entry.name):
            name = f"--{NAMES.get(entry.name, entry.name).replace('_', '-')}"
            words += [word for text in _texts(entry.name, value) for word in (name, text)]
    return shlex.join([*words, "--out", out])


def _texts(name: str, value: Any) -> list[str]:
    """One text for each time that the option is given; numbers with all their digits."""
    if name == "input_shape":
        return ["x".join(map(str, value))]
    if isinstance(value, dict):
        return [f"{key}={item}" for key, item in value.items()]
    return list(value) if isinstance(value, tuple) else [str(value)]
