"""The model card, for a person who finds the folder."""

from pathlib import Path

from explorer.export.card import model_card
from explorer.export.draft import Draft
from explorer.export.registry import FORMATS, export_format
from explorer.progress import Report


@export_format(
    "card",
    title="Model card",
    explanation="the model card: what was done, what was measured, how to use it",
    file="README.md",
    offered=6,
    rank=60,
    needs={"checks"},
)
def write_card(draft: Draft, path: Path, report: Report) -> None:
    path.touch()
    there = [entry for entry in FORMATS.values() if (draft.folder / entry.file).exists()]
    files = {entry.file: entry.explanation for entry in there} | {path.name: "this card"}
    path.write_text(model_card(draft.document, files), encoding="utf-8")
