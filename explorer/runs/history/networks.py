"""The networks that runs began with: that of a branch is its first parent's, whatever was cut of it since."""

from collections.abc import Iterable

from explorer.errors import ExplorerError
from explorer.export.layout import REPORT, STEPS
from explorer.reading import read_object
from explorer.runs.history.lineage import Branch
from explorer.runs.identity import folder_of

_DEEPEST = 100  # generations of runs that are followed back


def networks(forest: Iterable[Branch]) -> dict[str, str]:
    """The network that each run of a forest, or the first of those before it, began with, by the run's id."""
    found: dict[str, str] = {}

    def visit(branch: Branch, network: str) -> None:
        found[branch.run.id] = network
        for child in branch.children:
            visit(child, network)

    for root in forest:
        visit(root, network_of(root.run.model))
    return found


def network_of(model: str) -> str:
    """The ref of the network that runs before it, as far as they are there, made `model` of."""
    for _ in range(_DEEPEST):
        if not model.startswith("run:"):
            return model
        folder = folder_of(model)
        folder = folder.parents[1] if folder.parent.name == STEPS else folder
        try:
            spec = read_object(folder / REPORT).get("spec")
        except (OSError, ExplorerError):  # moved or deleted: this is as far as it can be followed
            return model
        if not isinstance(spec, dict) or not isinstance(spec.get("model"), str):
            return model
        model = spec["model"]
    return model
