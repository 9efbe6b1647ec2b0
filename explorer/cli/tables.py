"""What the tables of the documentation share: where rows are kept, how many are made at a time, what is asked."""

import os
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar

from explorer.cli.options import Options, Parser, whole
from explorer.errors import ExplorerError
from explorer.files import check_file
from explorer.reading import read_text

Grid = TypeVar("Grid")
_MOST = 256  # processes


def add_files(parser: Parser) -> None:
    """Where a table is written, and its rows are kept."""
    parser.add_argument("--out", metavar="FILE.md", help="write the table there too")
    parser.add_argument("--resume", metavar="FILE", help="keep finished rows in this file and go on from them")


def add_processes(parser: Parser) -> None:
    """How many runs are made at a time."""
    parser.add_argument("--processes", type=whole, metavar="N", help="runs at a time (default: one a core)")


def kept(options: Options) -> Path | None:
    """The file of finished rows; also sees to it, before hours of work, that what is to be written can be.

    Raises:
        ExplorerError: a file has another ending than what will be in it, or lies in no folder.
    """
    for name, endings in (("out", (".md",)), ("figure", (".svg", ".png")), ("resume", (".jsonl",))):
        text = getattr(options, name, None)
        if text is None:
            continue
        path = Path(text)
        if path.suffix not in endings:
            raise ExplorerError(f"--{name} {text!r} must end in {' or '.join(endings)}: name such a file")
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise ExplorerError(f"--{name} {text!r} is no file in a folder that is there: name one")
    return None if options.resume is None else Path(options.resume)


def target(options: Options, heads: Sequence[str]) -> Path | None:
    """The file that the table is written to, which is looked at before the work.

    Raises:
        ExplorerError: it can't be written, or is there and holds no table with these heads.
    """
    if options.out is None:
        return None
    path = Path(options.out)
    check_file(path, lambda found: f"| {' | '.join(heads)} |" in read_text(found).splitlines())
    return path


def processes(options: Options) -> int:
    """How many runs are made at a time."""
    if options.processes is not None and not 1 <= options.processes <= _MOST:
        raise ExplorerError(f"--processes is from 1 to {_MOST}: give another number")
    return options.processes or os.cpu_count() or 1


def asked(usual: Grid, options: Options) -> Grid:
    """The grid with everything that the options name."""
    given = {field.name: getattr(options, field.name) for field in fields(usual)}
    return replace(usual, **{name: value for name, value in given.items() if value is not None})
