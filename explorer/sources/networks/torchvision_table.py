"""What the list of models says of torchvision's, without importing it: a table made from it, one for a version.

`python -m explorer.sources.networks.torchvision_table` writes the shipped table from the installed torchvision.
"""

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from explorer import cache
from explorer.files import write_text
from explorer.reading import read_object
from explorer.sources.registries import ModelEntry

SHIPPED = Path(__file__).with_suffix(".json")
UNTRAINED = "untrained: random weights (seed 0)"


def torchvision_entries() -> list[ModelEntry]:
    """Every model of torchvision, untrained and with each set of weights."""
    entries = []
    for name, model in _table()["models"].items():
        shape = (3, model["side"], model["side"])
        entries.append(ModelEntry(f"torchvision:{name}", name, shape, False, UNTRAINED))
        for weights, (side, note) in model["weights"].items():
            ref, title = f"torchvision:{name}@{weights}", f"{name}, {weights}"
            entries.append(ModelEntry(ref, title, (3, side, side), True, note))
    return entries


def installed_table() -> dict[str, Any]:
    """The table of the installed torchvision, which this imports.

    By model its `side`, height and width of its native input, and its `weights`: of each the side and a note.
    """
    from explorer.sources.networks import pretrained
    from explorer.sources.networks.architectures import every_torchvision_name

    models = {
        name: {
            "side": pretrained.native_size(name),
            "weights": {w.name: [pretrained.crop_size(w), pretrained.describe(w)] for w in pretrained.weights_of(name)},
        }
        for name in every_torchvision_name()
    }
    return {"torchvision": _series(), "models": models}


def _table() -> dict[str, Any]:
    """The shipped table where it is of the installed version, else one that is kept in the cache."""
    shipped = read_object(SHIPPED)
    if shipped["torchvision"] == _series():
        return shipped
    kept = cache.Entry("torchvision", {"version": _series()})
    table = kept.read()
    if "models" not in table:
        table = installed_table()
        kept.write(table)
    return table


def _series() -> str:
    """The installed version without its last part, in which models do not change: ``0.25``."""
    try:
        return ".".join(version("torchvision").split(".")[:2])
    except PackageNotFoundError:
        import torchvision  # on a path of its own, without metadata

        return ".".join(torchvision.__version__.split(".")[:2])


def write_shipped() -> None:
    """Writes the shipped table, a model a line."""
    table = installed_table()
    lines = [f"  {json.dumps(name)}: {json.dumps(model)}" for name, model in table["models"].items()]
    head = f'{{\n "torchvision": {json.dumps(table["torchvision"])},\n "models": {{\n'
    write_text(SHIPPED, head + ",\n".join(lines) + "\n }\n}\n")


if __name__ == "__main__":
    write_shipped()
