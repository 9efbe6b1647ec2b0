"""Rows of a long table, kept in a file as they come, so that an interrupted table goes on where it stopped."""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from explorer.bench import rows
from explorer.documents import checked
from explorer.errors import ExplorerError, one_line
from explorer.files import write_text
from explorer.methods.checking import check
from explorer.methods.spec import Spec
from explorer.progress import Report
from explorer.reading import DamagedError, parse_json, read_text
from explorer.sources import load_model
from explorer.strict_json import dumps

Row = dict[str, Any]


class Asked(Protocol):
    """What a row is made of, known by its digest."""

    def digest(self) -> str: ...


Made = TypeVar("Made", bound=Asked)


class Kept:
    """The finished rows by the value of their `key`; with a `path`, one JSON object a line, of the `kind`.

    Raises:
        ExplorerError: the file holds something else.
    """

    def __init__(self, path: Path | None, key: str, kind: type[rows.Row]) -> None:
        self._path, self._key = path, key
        self.rows: dict[str, Row] = {}
        if path is None or not path.exists():
            return
        text = read_text(path)
        lines = text.splitlines(keepends=True)
        torn = lines.pop() if text and not text.endswith("\n") else ""  # its writer was killed in the middle of it
        begun = f'{{"{key}": '
        try:
            self.rows = {checked(row, kind, path)[key]: row for row in map(parse_json, lines)}
            if torn and not (torn.startswith(begun) or begun.startswith(torn)):
                raise ValueError("the last line is not the beginning of a row")
        except (ValueError, DamagedError) as error:
            reason = one_line(error)
            raise ExplorerError(f"{path} holds no rows of this table ({reason}): name another file") from None
        if torn:
            write_text(path, "".join(lines))

    def add(self, row: Row) -> None:
        self.rows[row[self._key]] = row
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(dumps(row) + "\n")


def made(
    specs: Sequence[Made],
    play: Callable[[Made], Row],
    *,
    kept: Path | None,
    processes: int,
    report: Report,
    told: Callable[[Row], str] = lambda row: "",
    kind: type[rows.Row],
) -> Mapping[str, Row]:
    """The rows of all specs by their digest, each the `run` of its row; what `kept` has is not played again.

    Args:
        kind: what every row must hold.
        told: what is said of a row that has come, behind how many there are.

    Raises:
        ExplorerError: a spec of a run can't be right, or the file holds something else.
    """
    for spec in specs:
        if isinstance(spec, Spec):
            check(spec)
    finished = Kept(kept, "run", kind)
    waiting = [spec for spec in specs if spec.digest() not in finished.rows]
    done = len(specs) - len(waiting)
    for row in _played(waiting, play, processes):
        finished.add(row)
        done += 1
        report(done / len(specs), f"{done} of {len(specs)} runs{told(row)}")
    return finished.rows


def _played(specs: list[Made], play: Callable[[Made], Row], processes: int) -> Iterator[Row]:
    """The rows that `play` makes of the specs, `processes` at a time and as they come, each on one thread."""
    if processes < 2:
        with _on_one_thread():
            yield from map(play, specs)
        return
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), initializer=_one_thread) as pool:
        futures: list[Future[Row]] = [pool.submit(play, spec) for spec in specs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@contextmanager
def _on_one_thread() -> Iterator[None]:
    """Within it this process computes on one thread, then on as many as before."""
    import torch

    before = torch.get_num_threads()
    _one_thread()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def data_of(model: str) -> str:
    """The ref of the data that a bundled model was trained on."""
    data = load_model(model).data
    if data is None:
        raise ExplorerError(f"{model} does not say what it was trained on: the tables take trained models only")
    return data


def pipes(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
