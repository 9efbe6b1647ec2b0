"""Copies of the files of code that a person's network is made by."""

from pathlib import Path

from explorer.export.draft import Draft, Exportable
from explorer.export.registry import export_format
from explorer.progress import Report
from explorer.sources.own_code import OwnCode
from explorer.sources.own_networks import FAMILY


def is_own(exported: Exportable) -> bool:
    """Whether the network is made by code of a person's own."""
    return exported.loaded.architecture["family"] == FAMILY


@export_format(
    "code",
    title="Code",
    explanation="copies of your own files, which make the network that load.py gives its weights",
    file="code/",
    rank=35,
    applies=is_own,
)
def write_code(draft: Draft, path: Path, report: Report) -> None:
    code = OwnCode.from_json(draft.exported.loaded.architecture["arguments"]["code"])
    for name, text in code.sources.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
