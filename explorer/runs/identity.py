"""Who a run is and what it started from: told apart for good, also when it goes on in another process or place."""

import contextlib
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from explorer.documents import checked, fits
from explorer.errors import ExplorerError
from explorer.export.layout import REPORT
from explorer.files import write_json
from explorer.reading import DamagedError, read_object
from explorer.runs.documents import Above, Identity
from explorer.runs.folders import ORIGIN as FILE


@dataclass(frozen=True)
class Parent:
    """The run, or the step of a run, that another one started from; `id` and `step` None where they are not known.

    `ref` is the model's as it was given, `step` None also for the end of a run.
    """

    ref: str
    id: str | None = None
    step: int | None = None

    @classmethod
    def from_json(cls, document: Mapping[str, Any] | None) -> "Parent | None":
        """The parent that a checked document names; keys of other versions are left out."""
        return None if not document else cls(document["ref"], document.get("id"), document.get("step"))


@dataclass(frozen=True)
class Origin:
    """The `id` of a run, since when there is one (`created`, seconds since the epoch), and its `parent`, if any."""

    parent: Parent | None
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    created: float = field(default_factory=time.time)

    @classmethod
    def of(cls, model: str, folder: Path, id: str = "") -> "Origin":
        """That of the run whose finished steps lie in `folder`, else a new one for a run of the model.

        Args:
            id: of a new one, where it has one already.
        """
        with contextlib.suppress(FileNotFoundError, DamagedError):
            kept = checked(read_object(folder / FILE), Identity, folder / FILE)
            return cls(Parent.from_json(kept["parent"]), kept["id"], kept["created"])
        return cls(parent_of(model), id) if id else cls(parent_of(model))

    def keep(self, folder: Path) -> None:
        """Writes it beside the finished steps, once."""
        if not (folder / FILE).exists():
            write_json(folder / FILE, self.to_json())

    def to_json(self) -> dict[str, Any]:
        """``{id, created, parent: {ref, id, step} or None}``"""
        return asdict(self)


def parent_of(model: str) -> Parent | None:
    """What the model's ref and the report it leads to tell; loading the model says what is wrong with them."""
    if not model.startswith("run:"):
        return None
    found: dict[str, Any] = {}
    with contextlib.suppress(OSError, RuntimeError, ExplorerError):
        report = read_object(folder_of(model) / REPORT)
        found = {"ref": model, "id": report.get("id"), "step": report.get("step")}
    return Parent(**found) if fits(found, Above) else Parent(model)


def folder_of(ref: str) -> Path:
    """The absolute folder that a ``run:`` ref names."""
    return Path(ref.removeprefix("run:")).expanduser().absolute()
