"""Finished steps of a run kept in a folder, so that an interrupted run can go on."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import safetensors.torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open

from explorer import owned
from explorer.errors import ExplorerError, ResourceError
from explorer.files import remove_unfinished, replacing_file, write_json
from explorer.methods.spec import Spec
from explorer.methods.tools.stages import Record
from explorer.reading import DamagedError, parse_json, read_object
from explorer.runs.folders import LOCK, PARTIAL, SPEC, check_steps, kept, steps_in
from explorer.strict_json import dumps

_PATIENCE = 15.0  # seconds; a worker whose server was killed needs some to notice it


class Checkpoint:
    """The memo of one run: ``folder/<step>.safetensors`` holds a step's tensors, and its values as metadata.

    The folder belongs to one spec and, from `__enter__` on, to one process, however that ends. Entered to resume, it
    keeps the steps found there; else it starts empty. Without a finished step nothing is left of it. A folder that is
    not ours is never entered (see `explorer.runs.folders.check_steps`), and of ours only files that a run keeps are
    deleted.
    """

    def __init__(self, folder: Path, spec: Spec, *, resume: bool) -> None:
        self.folder, self._spec, self._resume = folder, spec, resume
        self._lock = FileLock(folder / LOCK)
        self._taken_over = False
        self._made: list[Path] = []

    def __enter__(self) -> Self:
        """Takes the folder.

        Raises:
            ExplorerError: the folder is not ours, another process is at this run, or, to resume, the folder holds
                another spec's steps.
        """
        self._made = [path for path in (self.folder, *self.folder.parents) if not path.exists()]
        self._acquire()
        try:
            self._open()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def __call__(self, name: str, make: Callable[[], Record]) -> Record:
        path = self.folder / f"{name}.safetensors"
        if (record := _read(path)) is not None:
            return record
        record = make()
        if not self.folder.exists():
            owned.make_folder(self.folder, owned.STEPS)
        if not (self.folder / SPEC).exists():
            write_json(self.folder / SPEC, self._spec.to_json())
        _write(path, record)
        if record.replaces:
            owned.remove_files(self.folder, lambda name: name == f"{record.replaces}.safetensors")
        return record

    def finished(self) -> list[str]:
        """Names of the steps that need not be done again."""
        return steps_in(self.folder)

    def remove(self) -> None:
        """Deletes what the run has kept, and the folder with it: the run's result is safe."""
        with contextlib.suppress(OSError, ExplorerError):  # gone already, or of nobody: it is left
            owned.remove_files(self.folder, lambda name: kept(name) or name == LOCK)

    def refuse(self) -> None:
        """Deletes the steps of a request that can't be met, unless they were there before: then it could be once."""
        if not self._taken_over:
            self.remove()

    def _acquire(self) -> None:
        while True:
            check_steps(self.folder)
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(timeout=_PATIENCE)
                owned.mark(self.folder, owned.STEPS)
                return
            except Timeout:
                raise ExplorerError(
                    f"another process is at the run in {self.folder}: wait until it has ended, or name another --out"
                ) from None
            except FileNotFoundError:  # that process has just finished, and removed the folder
                self._lock.release()

    def _release(self) -> None:
        if not self.finished():
            self.remove()
            for path in self._made[1:]:
                owned.drop_empty(path)  # unless one is in use by now
        self._lock.release()

    def _open(self) -> None:
        """Empties the folder, or takes over the steps it holds, and removes what was never finished."""
        if self._resume and self.finished():
            self._check_spec(self._spec)
            self._taken_over = True
            owned.remove_files(self.folder, lambda name: kept(name) and name.startswith("."))
        else:
            owned.remove_files(self.folder, kept)
        remove_unfinished(self.folder.with_name(self.folder.name.removesuffix(PARTIAL)))

    def _check_spec(self, spec: Spec) -> None:
        try:
            found = read_object(self.folder / SPEC)
        except (OSError, DamagedError):
            raise ExplorerError(
                f"{self.folder} holds no run that could be resumed: delete it, or run without --resume"
            ) from None
        if different := spec.differs(found):
            raise ExplorerError(
                f"the run in {self.folder} was started with another {', '.join(different)}: "
                "repeat its options, or run without --resume to start anew"
            )


def _write(path: Path, record: Record) -> None:
    """Whole or not at all, like everything that a run writes."""
    tensors = {name: tensor.contiguous() for name, tensor in record.tensors.items()}
    try:
        with replacing_file(path) as file:
            safetensors.torch.save_file(tensors, file, {"values": dumps(record.values)})
    except SafetensorError as error:  # how the library words a full disk
        raise ResourceError(f"can't write {path}: {error}") from None


def _read(path: Path) -> Record | None:
    """The record, or None where there is none that can be read: then the step is simply done again."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as archive:
            values = parse_json(archive.metadata()["values"])
            return Record(values, {name: archive.get_tensor(name) for name in archive.keys()})  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        return None
