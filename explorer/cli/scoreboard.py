"""The scoreboard of methods and criteria, which two tables show of different grids."""

from pathlib import Path
from typing import TYPE_CHECKING

from explorer.cli.console import Answer, table
from explorer.cli.options import Options, Parser, names, whole
from explorer.cli.tables import add_files, add_processes, asked, kept, processes, target
from explorer.progress import Report

if TYPE_CHECKING:
    from explorer.bench.methods import Grid


def add_grid(parser: Parser) -> None:
    """What is compared, how long, and where the answer goes."""
    for name, example in (
        ("models", "demo:vgg-digits"),
        ("methods", "one-shot,ifap"),
        ("criteria", "flow,l1"),
        ("allocations", "global,uniform"),
        ("recoveries", "none,bn"),
        ("targets", "macs=0.5,macs=0.3"),
        ("presets", "ours,published"),
    ):
        parser.add_argument(f"--{name}", type=names, metavar="A,B,…", help=f"for example {example}")
    for name, what in (
        ("seeds", "runs of every line"),
        ("epochs", "of training, in all of a run's steps together"),
        ("steps", "of methods that cut in steps"),
        ("samples", "calibration samples to score on"),
    ):
        parser.add_argument(f"--{name}", type=whole, metavar="N", help=what)
    add_processes(parser)
    parser.add_argument("--figure", metavar="FILE.svg", help="draw it there, as SVG or PNG")
    add_files(parser)


def scoreboard_of(usual: "Grid", options: Options, report: Report) -> Answer:
    """The scoreboard of a grid, where nothing else is asked as it usually is."""
    from explorer.bench import figure
    from explorer.bench.methods import HEADS, cells, markdown, scoreboard, summary
    from explorer.files import write_text

    out = target(options, HEADS)
    rows = scoreboard(asked(usual, options), kept=kept(options), processes=processes(options), report=report)
    lines = summary(rows)
    if out:
        write_text(out, markdown(lines))
    if options.figure:
        figure.write(lines, Path(options.figure))
    return Answer({"lines": lines, "rows": rows}, table(HEADS, map(cells, lines)))
