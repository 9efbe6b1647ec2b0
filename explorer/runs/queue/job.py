"""A job of the desk: what was asked, how far it is, what came of it."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from explorer.documents import checked, fits
from explorer.files import write_json
from explorer.reading import read_lines
from explorer.runs.documents import Point, Progress, SavedJob, Warned
from explorer.runs.folders import partial, steps_in
from explorer.sealed import read_sealed, sealed
from explorer.strict_json import dumps

FILE = "job.json"
EVENTS = "events.jsonl"
BUNDLE = "bundle"
SCORES, AGREEMENT = "scores.json", "agreement.json"  # what jobs that make no bundle leave
FINAL = ("done", "failed", "cancelled")
JUDGED = "validation_loss"  # what only the report at the end of an epoch has
_HISTORY_LIMIT = 2000
_WARNINGS = 100


@dataclass
class Job:
    """One piece of slow work. `created`, `started`, `finished` are seconds since the epoch.

    `points` holds the steps of a gradual method, each once: ``{time, fraction, message, step, **metrics}``; `history`
    every other report that carried metrics: ``{time, fraction, message, **metrics}``. `result` is small and JSON; files
    lie in `directory`. `key` is what a page looks for it by, empty where that is its kind. `deaths` counts how often in
    a row the work ended without a word after `died_after` finished steps; `stopping` says that a person has asked a
    running job to stop. `seconds` is how long it may take at most, None where as long as it does; `overdue` says that
    it is stopped because it took longer.
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
    points: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    result: dict[str, Any] | None = None
    error: str | None = None
    created: float = field(default_factory=time.time)
    started: float | None = None
    finished: float | None = None
    stopping: bool = False
    deaths: int = 0
    died_after: int = 0
    key: str = ""
    seconds: float | None = None
    overdue: bool = False

    @property
    def kind(self) -> str:
        return self.request["kind"]

    @property
    def final(self) -> bool:
        return self.state in FINAL

    @property
    def bundle(self) -> Path:
        """Where the network of a run that is done lies."""
        return Path(self.directory) / BUNDLE

    @property
    def finished_steps(self) -> list[str]:
        """Names of the steps on disk, which the job takes over when it goes on."""
        return steps_in(partial(self.bundle))

    @property
    def resumable(self) -> bool:
        """Whether the job ended early and left finished steps, so that it can go on from the last of them."""
        return self.state in ("failed", "cancelled") and bool(self.finished_steps)

    def copy(self) -> "Job":
        """The job as it stands, for another thread to read."""
        return replace(self, points=list(self.points), history=list(self.history), warnings=list(self.warnings))

    def brief(self) -> "Job":
        """The job without what is long of it, which its folder has: for a server that knows thousands of them."""
        return replace(self, points=[], history=[], result=None)

    def progress(self, fraction: float, message: str, metrics: Mapping[str, float], *, at: float | None = None) -> None:
        """Takes one report, made at the time `at`; a long history loses every second entry, see `_thinned`.

        A point of a step that is known already, as a resumed run tells them again, keeps its place and its time.
        """
        self.fraction, self.message = max(self.fraction, min(1.0, fraction)), message
        if not metrics:
            return
        entry = {"time": time.time() if at is None else at, "fraction": self.fraction, "message": message, **metrics}
        if "step" in metrics:
            self._point(entry)
            return
        self.history.append(entry)
        if len(self.history) > _HISTORY_LIMIT:
            self.history = _thinned(self.history)

    def _point(self, entry: dict[str, Any]) -> None:
        for index, known in enumerate(self.points):
            if known["step"] == entry["step"]:
                self.points[index] = {**entry, "time": known["time"], "fraction": known["fraction"]}
                return
        self.points.append(entry)

    def warn(self, message: str) -> bool:
        """Adds a warning; False where it is known, as a resumed run may repeat one, or where there are very many."""
        if message in self.warnings or len(self.warnings) >= _WARNINGS:
            return False
        self.warnings.append(message)
        return True

    def start(self) -> None:
        self.state, self.message, self.started = "running", "starting", self.started or time.time()

    def queue(self, message: str = "waiting") -> None:
        """Puts the job back to before its start; what it has told is kept."""
        self.state, self.message, self.stopping, self.overdue = "queued", message, False, False
        self.result = self.error = self.finished = None

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
        write_json(Path(self.directory) / FILE, sealed(asdict(self)))

    def keep(self, event: Mapping[str, Any]) -> None:
        """Appends an event to the job's folder, so that it is not lost with the server.

        Lines begin with their line break: a line torn by a crash spoils only itself.
        """
        with (Path(self.directory) / EVENTS).open("a", encoding="utf-8") as stream:
            stream.write("\n" + dumps({**event, "time": time.time()}))

    @classmethod
    def load(cls, folder: Path) -> "Job":
        """The job saved in a folder, with the events kept since.

        Raises:
            FileNotFoundError, NotADirectoryError: there is none.
            DamagedError, ExplorerError: it is damaged, or can't be read.
        """
        job = cls.from_json(checked(read_sealed(folder / FILE), SavedJob, folder / FILE))
        job.directory = str(folder)
        if job.result is not None and "file" in job.result:  # beside the job, wherever that lies by now
            job.result["file"] = str(folder / Path(job.result["file"]).name)
        for event in _kept(folder):
            if event["event"] == "warning":
                job.warn(event["message"])
            elif not job.final:
                job.progress(event["fraction"], event["message"], event["metrics"], at=event["time"])
        return job

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


def _thinned(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every second entry, the last among them, and each that tells how an epoch ended, which no other one does.

    Where epochs are so many that the history would hardly become shorter, they lose every second one as well.
    """
    last = len(history) - 1
    kept = [entry for place, entry in enumerate(history) if (last - place) % 2 == 0 or JUDGED in entry]
    return kept if len(kept) <= _HISTORY_LIMIT * 3 // 4 else history[last % 2 :: 2]


def _kept(folder: Path) -> Iterator[dict[str, Any]]:
    """The events kept in a folder, but for lines that are torn or tell of nothing."""
    with contextlib.suppress(FileNotFoundError):
        for event in read_lines(folder / EVENTS):
            if fits(event, Warned) or (fits(event, Progress) and fits(_point(event), Point)):
                yield event


def _point(event: Mapping[str, Any]) -> dict[str, Any]:
    """The point that an event of a finished step comes to."""
    return {"time": event["time"], "fraction": event["fraction"], "message": event["message"], **event["metrics"]}
