"""The models and data that need no path."""

from explorer.sources.registries import DATA_SOURCES, MODEL_SOURCES, ModelEntry


def list_models() -> list[ModelEntry]:
    """Every ref that needs no path: the demo models, then torchvision's, untrained and with each set of weights."""
    return [entry for source in MODEL_SOURCES.declared().values() if source.entries for entry in source.entries()]


def list_tasks() -> list[tuple[str, str]]:
    """(ref, title) of the data that needs no path: bundled first, then downloadable."""
    listed = []
    for source in DATA_SOURCES.declared().values():
        if source.entries is not None:
            listed += source.entries()
        elif not source.takes:
            listed.append((source.name, source.title))
    return listed
