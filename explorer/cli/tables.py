"""What the tables of the documentation share: where rows are kept, how many are made at a time, what is asked."""

import os
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar

from explorer.cli.options import Options, Parser, whole

Grid = TypeVar("Grid")


def add_files(parser: Parser) -> None:
    """Where a table is written, and its rows are kept."""
    parser.add_argument("--out", metavar="FILE.md", help="write the table there too")
    parser.add_argument("--resume", metavar="FILE", help="keep finished rows in this file and go on from them")


def add_processes(parser: Parser) -> None:
    """How many runs are made at a time."""
    parser.add_argument("--processes", type=whole, metavar="N", help="runs at a time (default: one a core)")


def kept(options: Options) -> Path | None:
    """The file of finished rows."""
    return None if options.resume is None else Path(options.resume)


def processes(options: Options) -> int:
    """How many runs are made at a time."""
    return options.processes or os.cpu_count() or 1


def asked(usual: Grid, options: Options) -> Grid:
    """The grid with everything that the options name."""
    given = {field.name: getattr(options, field.name) for field in fields(usual)}
    return replace(usual, **{name: value for name, value in given.items() if value is not None})
