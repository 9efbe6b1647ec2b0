"""The files of the tokenizer that makes the network's inputs of texts."""

from pathlib import Path

from explorer.export.draft import Draft, Exportable
from explorer.export.registry import export_format
from explorer.progress import Report


def reads_texts(exported: Exportable) -> bool:
    """Whether a tokenizer makes the inputs."""
    return exported.loaded.tokenizer is not None


@export_format(
    "tokenizer",
    title="Tokenizer",
    explanation="for AutoTokenizer of transformers",
    file="tokenizer/",
    rank=80,
    applies=reads_texts,
)
def write_tokenizer(draft: Draft, path: Path, report: Report) -> None:
    draft.exported.loaded.tokenizer.save(path)
