"""What a person or a program sees: one answer on standard output, progress on standard error."""

import contextlib
import logging
import sys
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from explorer.plain import visible
from explorer.strict_json import dumps

_QUIET_SECONDS = 10.0  # between two lines where nothing can be overwritten


@dataclass(frozen=True)
class Answer:
    """What a command answers: `document` for programs, `text` for people; `code` is what it exits with."""

    document: dict[str, Any]
    text: str
    code: int = 0


class Console:
    """Shows progress as one line that is rewritten on a terminal, as sparse lines elsewhere."""

    def __init__(self, answers: TextIO, *, as_json: bool = False, quiet: bool = False) -> None:
        self._answers, self._as_json, self._quiet = answers, as_json, quiet
        self._errors = sys.stderr
        self._terminal = self._errors.isatty()
        self._line_open = False
        self._tenth, self._spoken = -1, 0.0

    def report(self, fraction: float, message: str, **metrics: float) -> None:
        """An `explorer.progress.Report`."""
        if self._quiet:
            return
        numbers = "".join(f"  {name} {value:.4g}" for name, value in metrics.items())
        line = visible(f"{fraction:4.0%}  {' '.join(message.split())}{numbers}")
        if self._terminal:
            self._errors.write(f"\r\x1b[K{line[: _columns()]}")
            self._errors.flush()
            self._line_open = True
        elif int(fraction * 10) > self._tenth or time.monotonic() - self._spoken > _QUIET_SECONDS:
            self._tenth, self._spoken = max(self._tenth, int(fraction * 10)), time.monotonic()
            print(line, file=self._errors, flush=True)

    def answer(self, answer: Answer) -> None:
        """Prints the answer, as one JSON object or as text."""
        self.clear()
        self._answers.write((dumps(answer.document) if self._as_json else visible(answer.text, keep="\n")) + "\n")
        self._answers.flush()

    def clear(self) -> None:
        """Wipes the progress line."""
        if self._line_open:
            self._errors.write("\r\x1b[K")
            self._errors.flush()
            self._line_open = False

    @contextlib.contextmanager
    def listening(self, logger: logging.Logger) -> Iterator[None]:
        """Shows the engine's own warnings, one line each, and no other library's."""
        handler = _Lines(self)
        silencer = logging.NullHandler()  # without any handler Python would print them all
        logger.addHandler(handler)
        logging.getLogger().addHandler(silencer)
        try:
            yield
        finally:
            self.clear()
            logger.removeHandler(handler)
            logging.getLogger().removeHandler(silencer)


class _Lines(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.clear()
        print(visible(f"warning: {record.getMessage()}"), file=sys.stderr)


def _columns() -> int:
    import shutil

    return shutil.get_terminal_size().columns - 1


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns padded to their widest cell; a column of numbers is set right."""
    cells = [[_cell(value) for value in row] for row in rows]
    lines = [list(heads), *cells]
    widths = [max(_width(line[i]) for line in lines) for i in range(len(heads))]
    right = [bool(cells) and all(_numeric(row[i]) for row in cells) for i in range(len(heads))]

    def padded(line: Sequence[str]) -> str:
        texts = zip(line, widths, right, strict=True)
        return "  ".join(_filled(text, width, right=number) for text, width, number in texts).rstrip()

    return "\n".join(map(padded, lines))


def times(sizes: Iterable[int]) -> str:
    """A shape for a person: ``3×32×32``."""
    return "×".join(map(str, sizes))


def _cell(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "–", True: "yes", False: "no"}[value]
    return f"{value:,}" if isinstance(value, int) else visible(value)


def _filled(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space


def _width(text: str) -> int:
    """The columns of a terminal that a text takes: two for a letter of East Asia, none for an accent of its own."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.category(character) in ("Mn", "Me", "Cf") for character in text)


def _numeric(text: str) -> bool:
    return text == "–" or text[:1].isdigit()
