"""A folder with everything that a pruned model needs to be used, checked before it appears."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from explorer.export.draft import Draft, Exportable
from explorer.export.layout import replacing
from explorer.export.registry import FORMATS, Format
from explorer.files import place
from explorer.progress import Report, part, silent


def write_bundle(
    directory: Path | str, exported: Exportable, result: Mapping[str, Any], *, report: Report = silent
) -> dict[str, Any]:
    """Writes the network in every format that applies to it, see `FORMATS`.

    Everything is written to a folder beside `directory`, checked there, and renamed at the end. An earlier bundle in
    `directory` stays until then.

    Args:
        result: what the run that made the network tells (`base`, `pruned`, `target`, `achieved`, `groups`, `spec`,
            `versions`, …); all of it goes into the report.

    Returns:
        The report: `result` with what ``run:`` refs read (see `Exportable.told`), `out`, what formats tell of their
        files (`onnx`; the bytes of the ONNX file in `sparse`) and `checks`.

    Raises:
        ExplorerError: the folder can't be written or holds something else, or a check fails; nothing is left behind.
        Cancelled: the report asked to stop; nothing is left behind either.
    """
    directory = Path(directory)
    with replacing(directory) as folder:
        draft = Draft.of(folder, exported, {**result, **exported.told(), "out": str(directory)})
        _fill(draft, report)
    return draft.document


def write_alone(
    name: str, exported: Exportable, path: Path, *, samples: int = 256, report: Report = silent
) -> dict[str, Any]:
    """Writes one file of the format `name`, checked on as many inputs before it appears.

    Returns:
        What the format tells of its file.

    Raises:
        ExplorerError: the path can't be written, or the file computes something else.
    """
    entry = FORMATS[name]
    with tempfile.TemporaryDirectory() as folder:
        draft, trial = Draft.of(Path(folder), exported, {}, samples), Path(folder) / path.name
        entry.function(draft, trial, part(report, 0.0, 0.5))
        if entry.check:
            entry.check(draft, trial, part(report, 0.5, 1.0))
        place(trial, path)
    return draft.document.get(name, {})


def _fill(draft: Draft, report: Report) -> None:
    """Writes the formats that apply into the draft's folder, checks them, and writes those that tell of the checks."""
    formats = [entry for entry in FORMATS.values() if entry.applies(draft.exported)]
    for entry, share in _shared([entry for entry in formats if not entry.last], part(report, 0.0, 0.4)):
        entry.function(draft, draft.folder / entry.file, share)
    checks = [
        entry.check(draft, draft.folder / entry.file, share)
        for entry, share in _shared([entry for entry in formats if entry.check], part(report, 0.4, 1.0))
    ]
    draft.document["checks"] = checks
    for entry in [entry for entry in formats if entry.last]:
        entry.function(draft, draft.folder / entry.file, silent)


def _shared(formats: list[Format], report: Report) -> Iterator[tuple[Format, Report]]:
    """The formats, each with its share of the report."""
    for index, entry in enumerate(formats):
        yield entry, part(report, index / len(formats), (index + 1) / len(formats))
