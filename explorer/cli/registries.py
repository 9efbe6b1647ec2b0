"""All registries in one list, from which the documentation's tables are made."""

from typing import Any

from explorer.budget import ALLOCATORS, NORMALISERS
from explorer.cli.verb import VERBS
from explorer.criteria import CRITERIA
from explorer.export.registry import FORMATS
from explorer.learning.missions.goal import GOALS
from explorer.methods import METHODS
from explorer.recovery import RECOVERIES
from explorer.registry import Registry
from explorer.sources.registries import DATA_SOURCES, FOLDER_LAYOUTS, MODEL_SOURCES
from explorer.tasks import TASK_KINDS


def registries() -> dict[str, Registry[Any]]:
    """Every registry, by the name that its table has in the documentation."""
    return {
        "criteria": CRITERIA,
        "normalisers": NORMALISERS,
        "allocations": ALLOCATORS,
        "recoveries": RECOVERIES,
        "methods": METHODS,
        "sources of models": MODEL_SOURCES,
        "sources of data": DATA_SOURCES,
        "layouts of folders": FOLDER_LAYOUTS,
        "kinds of tasks": TASK_KINDS,
        "export formats": FORMATS,
        "goals of missions": GOALS,
        "commands": VERBS,
    }
