"""A job of the desk: what was asked, how far it is, what came of it."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from explorer.runs.files import write_json

FILE = "job.json"
STATES = ("queued", "running", "done", "failed", "cancelled")
FINAL = ("done", "failed", "cancelled")
_HISTORY_LIMIT = 2000


@dataclass
class Job:
    """One piece of slow work. `created`, `started`, `finished` are seconds since the epoch.

    `history` holds every report that carried metrics: ``{time, fraction, message, **metrics}``.
    `result` is small and JSON; files lie in `directory`.
    """

    id: str
    owner: str
    title: str
    request: dict[str, Any]
    device: str
    directory: str
    state: str = "queued"
    fraction: float = 0.0
    message: str = "waiting"
    history: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    result: dict[str, Any] | None = None
    error: str | None = None
    created: float = field(default_factory=time.time)
    started: float | None = None
    finished: float | None = None

    @property
    def kind(self) -> str:
        return self.request["kind"]

    @property
    def final(self) -> bool:
        return self.state in FINAL

    def copy(self) -> "Job":
        """The job as it stands, for another thread to read."""
        return replace(self, history=list(self.history), warnings=list(self.warnings))

    def progress(self, fraction: float, message: str, metrics: Mapping[str, float]) -> None:
        """Takes one report; a long history loses every second entry, never its last."""
        self.fraction, self.message = max(self.fraction, min(1.0, fraction)), message
        if metrics:
            self.history.append({"time": time.time(), "fraction": self.fraction, "message": message, **metrics})
            if len(self.history) > _HISTORY_LIMIT:
                self.history = self.history[1::2]

    def start(self) -> None:
        self.state, self.message, self.started = "running", "starting", time.time()

    def finish(self, state: str, *, result: dict[str, Any] | None = None, error: str | None = None) -> None:
        """Ends the job; the first end counts."""
        if self.final:
            return
        self.state, self.result, self.error, self.finished = state, result, error, time.time()
        self.message = error or state
        if state == "done":
            self.fraction = 1.0

    def save(self) -> None:
        """Writes the job into its folder, whole or not at all."""
        write_json(Path(self.directory) / FILE, asdict(self))

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Job":
        """A saved job; keys of other versions are left out.

        Raises:
            TypeError: the document is none.
        """
        if not isinstance(document, Mapping):
            raise TypeError("a job is a JSON object")
        known = {f.name for f in fields(cls)}
        return cls(**{key: value for key, value in document.items() if key in known})
