"""All registries in one list, from which the documentation's tables are made."""

from typing import Any

from explorer.cli.verb import VERBS
from explorer.registry import Registry


def registries() -> dict[str, Registry[Any]]:
    """Every registry, by the name that its table has in the documentation."""
    return {"commands": VERBS}
