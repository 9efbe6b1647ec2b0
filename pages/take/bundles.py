"""A finished run's files, as the export page offers them."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from explorer.export.layout import STEPS
from explorer.export.registry import FORMATS, Format


def offered() -> list[Format]:
    """The formats whose files are offered one by one, in that order."""
    formats = [entry for entry in FORMATS.declared().values() if entry.offered is not None]
    return sorted(formats, key=lambda entry: entry.offered)


def files(bundle: Path) -> dict[str, Path]:
    """The bundle's files by name, those in folders included, without the models on the way and what is hidden."""
    found = {path.relative_to(bundle): path for path in sorted(bundle.rglob("*")) if path.is_file()}
    return {str(name): path for name, path in found.items() if name.parts[0] != STEPS and name.name[0] != "."}


def zipped(bundle: Path) -> bytes:
    """The bundle as one archive, under a folder of the run's name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files(bundle).items():
            archive.write(path, f"{bundle.parent.name}/{name}")
    return buffer.getvalue()


def examples(result: Mapping[str, Any], files: Mapping[str, Path]) -> dict[str, str]:
    """How to load those of the files that say it, by the title of their format."""
    shape = result.get("input_shape")
    if not shape:  # the report is of a version that did not tell it
        return {}
    images = len(shape) == 3
    words = {
        "shape": ", ".join(map(str, shape)),
        "name": "images" if images else "token_ids",
        "values": "zeros" if images else "ones",
        "dtype": "float32" if images else "int64",
        "made": "normalised as for the base model" if images else "made by the tokenizer in the bundle",
    }
    formats = [entry for entry in FORMATS.declared().values() if entry.usage and entry.file in files]
    return {entry.title: entry.usage.format(**words) for entry in formats}


def checks(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was compared before the bundle was kept, and what came of it; one that fails any of it is never written."""
    return [(check["name"], _found(check)) for check in result.get("checks", ())]


def _found(check: Mapping[str, Any]) -> str:
    batches = ", ".join(map(str, check["batches"]))
    worst = check["max_abs_diff"]
    found = (
        "the same logits" if worst == 0 else f"logits differ by {worst:.1e} at most (limit {check['tolerance']:.1e})"
    )
    sentence = f"{found}, at batches of {batches}"
    if "agreement" in check:
        sentence += f"; the same class on {check['agreement']:.1%} of {check['samples']} real inputs"
    if check.get("top1_onnx") is not None:
        sentence += f", top-1 {check['top1_onnx']:.1%}"
    return sentence
