"""`demo:NAME`: the small trained networks that come along."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.errors import unknown
from explorer.places import ASSETS
from explorer.reading import read_object
from explorer.sources.refs import split_query
from explorer.sources.registries import ModelEntry, model_source

if TYPE_CHECKING:
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.request import ModelRequest


def demo_records() -> dict[str, dict[str, Any]]:
    """How each bundled checkpoint was trained, by ref: architecture, data, seed, time, test top-1.

    Raises:
        ExplorerError: the bundled files are missing or damaged.
    """
    return read_object(ASSETS / "demo.json")


def demo_entries() -> list[ModelEntry]:
    """All of them."""
    return [
        ModelEntry(ref, record["title"], tuple(record["input_shape"]), True, _note(record))
        for ref, record in demo_records().items()
    ]


def demo_table() -> str:
    """All of them as a table in Markdown, for the documentation."""
    rows = [("network", "classifies", "test images", "right", "trained for", "file")]
    rows += [
        (
            f"`{ref}`",
            f"`{record['data']}`",
            f"{record['test_images']:,}",
            f"{record['top1']:.1%}",
            f"{record['epochs']} epochs",
            f"{_weights(ref).stat().st_size / 1e6:.1f} MB",
        )
        for ref, record in demo_records().items()
    ]
    rows.insert(1, ("---",) * len(rows[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _weights(ref: str) -> Path:
    return ASSETS / f"{ref.removeprefix('demo:')}.safetensors"


def _note(record: dict[str, Any]) -> str:
    return f"bundled: trained for {record['epochs']} epochs on {record['train_images']:,} images of {record['data']}"


@model_source(
    "demo",
    title="Demo models",
    explanation="Small trained networks that come along, for first steps without a download.",
    takes="NAME",
    entries=demo_entries,
    base=True,
    rank=10,
)
def open_demo(rest: str, request: "ModelRequest") -> "LoadedModel":
    from explorer.sources.loaded import LoadedModel
    from explorer.sources.networks.architectures import build
    from explorer.sources.networks.state_dicts import load_weights, read_tensors
    from explorer.sources.turning import READING, read_as

    name, options = split_query(rest, READING)
    ref, records = f"demo:{name}", demo_records()
    if ref not in records:
        raise unknown("demo model", ref, records)
    record = records[ref]
    module = build(record["architecture"])
    load_weights(module, read_tensors(_weights(ref)), ref)
    own = record["normalisation"]
    model = LoadedModel(
        ref=f"demo:{rest}",
        module=module,
        input_shape=tuple(record["input_shape"]),
        classes=record["architecture"]["arguments"]["classes"],
        trained=True,
        title=record["title"],
        note=_note(record),
        architecture=record["architecture"],
        data=record["data"],
        normalisation=(tuple(own["mean"]), tuple(own["std"])),
    )
    return read_as(model, options, request)
