"""What of a paper can be tried here: whatever the registries say that it comes from, networks, and pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explorer.budget import ALLOCATORS, NORMALISERS
from explorer.criteria import CRITERIA
from explorer.learning.library.papers import Paper, cited
from explorer.methods import METHODS
from explorer.recovery import RECOVERIES
from explorer.registry import Registry

REGISTRIES: Mapping[str, Registry[Any]] = {
    "criterion": CRITERIA,
    "recovery": RECOVERIES,
    "method": METHODS,
    "budget": ALLOCATORS,
    "normaliser": NORMALISERS,
}
"""The registries whose entries can be set in a workspace, by what one of them is called."""


@dataclass(frozen=True)
class Trial:
    """Something to be tried.

    Args:
        kind: a key of `REGISTRIES`, or "model" or "page".
        name: of the entry in the registry, the model's ref, or the page's name.
        title: for a person.
        about: what it is, in a sentence; empty for models and pages.
    """

    kind: str
    name: str
    title: str
    about: str = ""


def trials(paper: Paper) -> tuple[Trial, ...]:
    """All that can be tried of a paper, in the order of `REGISTRIES`; empty where nothing of it is here."""
    found = [
        Trial(kind, entry.name, entry.title, entry.explanation)
        for kind, registry in REGISTRIES.items()
        for entry in registry.declared().values()
        if paper in cited(entry.reference)
    ]
    models = [Trial("model", ref, ref) for ref in paper.models]
    return (*found, *models, *(Trial("page", name, name.capitalize()) for name in paper.pages))
