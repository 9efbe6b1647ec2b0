"""Finished steps of a run kept in a folder, so that an interrupted run can go on."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError, safe_open

from explorer.errors import ExplorerError
from explorer.methods.stages import Record
from explorer.runs.files import write_json
from explorer.runs.spec import Spec
from explorer.strict_json import dumps

SPEC = "spec.json"


class Checkpoint:
    """The memo of one run: ``folder/<step>.safetensors`` holds a step's tensors, and its values as metadata.

    The folder belongs to one spec and appears with the first finished step. Opened to resume, it
    keeps the steps found there; else it starts empty.

    Raises:
        ExplorerError: to resume, but the folder holds another spec's steps.
    """

    def __init__(self, folder: Path, spec: Spec, *, resume: bool) -> None:
        self.folder, self._spec = folder, spec
        if resume and folder.exists():
            self._check_spec(spec)
        else:
            self.remove()

    def __call__(self, name: str, make: Callable[[], Record]) -> Record:
        path = self.folder / f"{name}.safetensors"
        if (record := _read(path)) is not None:
            return record
        record = make()
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            write_json(self.folder / SPEC, self._spec.to_json())
        _write(path, record)
        return record

    def finished(self) -> list[str]:
        """Names of the steps that need not be done again."""
        return sorted(path.stem for path in self.folder.glob("*.safetensors"))

    def remove(self) -> None:
        """Deletes the folder: the run's result is safe, or can't be had."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _check_spec(self, spec: Spec) -> None:
        try:
            found = json.loads((self.folder / SPEC).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise ExplorerError(
                f"{self.folder} holds no run that could be resumed: delete it, or run without --resume"
            ) from None
        asked = spec.to_json()
        different = [key for key in asked if found.get(key) != asked[key]]
        if different:
            raise ExplorerError(
                f"the run in {self.folder} was started with another {', '.join(different)}: "
                "repeat its options, or run without --resume to start anew"
            )


def _write(path: Path, record: Record) -> None:
    """Whole or not at all, like everything that a run writes."""
    temporary = path.with_suffix(".partial")
    tensors = {name: tensor.contiguous() for name, tensor in record.tensors.items()}
    try:
        safetensors.torch.save_file(tensors, temporary, {"values": dumps(record.values)})
        os.replace(temporary, path)
    except SafetensorError as error:  # how the library words a full disk
        raise ExplorerError(f"can't write {path}: {error}") from None


def _read(path: Path) -> Record | None:
    """The record, or None where there is none that can be read: then the step is simply done again."""
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as archive:
            values = json.loads(archive.metadata()["values"])
            return Record(values, {name: archive.get_tensor(name) for name in archive.keys()})  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        return None
