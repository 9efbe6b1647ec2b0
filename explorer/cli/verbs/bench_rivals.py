"""``bench rivals``: ours against torch-pruning, paired."""

from argparse import ArgumentParser
from pathlib import Path

from explorer.cli.console import Answer, table
from explorer.cli.options import Options, names, whole
from explorer.cli.tables import add_files, add_processes, asked, kept, processes, target
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--small", action="store_true", help="two tasks, two networks, little training: half an hour")
    for name, what in (
        ("models", "for example demo:vgg-digits"),
        ("searched", "criteria whose best plan is judged, chosen on validation images (default: three)"),
        ("ours", "further choices of ours by their criteria (default: group-norm)"),
        ("allocations", "each with each criterion (default: global)"),
        ("repairs", "recoveries without training, each with each of those (default: reconstruct)"),
        ("rivals", "ways of torch-pruning's, for example l2-global,taylor-isomorphic-steps"),
        ("tuned", "those that are also fine-tuned, for example l2-global,l2-global-trained"),
        ("methods", "of ours that train in steps, for example ifap,idap"),
        ("targets", "for example macs=0.5,macs=0.3"),
    ):
        parser.add_argument(f"--{name}", type=names, metavar="A,B,…", help=what)
    for name, what in (
        ("seeds", "runs of every line without training (default: 5)"),
        ("tuned-seeds", "runs of every line with training; 0: none"),
        ("epochs", "of training, in all of a run's rounds together"),
        ("rounds", "of what trains between its cuts"),
        ("samples", "calibration images that a seed draws (default: 512)"),
    ):
        parser.add_argument(f"--{name}", type=whole, metavar="N", help=what)
    parser.add_argument("--split", metavar="NAME", help="test, or validation for choosing among ours (default: test)")
    add_processes(parser)
    parser.add_argument("--figure", metavar="FILE.svg", help="draw it there, as SVG or PNG")
    add_files(parser)


@verb(
    "bench rivals",
    title="Rivals",
    explanation="Compare ours with torch-pruning on the same networks, images and trainer, paired.",
    arguments=arguments,
    rank=171,
)
def rivals(options: Options, report: Report) -> Answer:
    from explorer.bench import figure
    from explorer.bench import rivals as comparison
    from explorer.bench.rivals.figure import figure as drawn
    from explorer.documents import fits
    from explorer.files import check_file, write_text
    from explorer.reading import read_json

    out = target(options, comparison.HEADS)
    beside = None if out is None else out.with_suffix(".json")  # the lines, for the scoreboard
    if beside is not None:
        check_file(beside, lambda found: fits(read_json(found), comparison.KeptLines))
    grid = asked(comparison.SMALL if options.small else comparison.Grid(), options)
    file = kept(options)
    rows = comparison.compare(grid, kept=file, processes=processes(options), report=report)
    choice = grid.choices()[0].name
    lines, choices, players = (
        comparison.compared(rows, choice),
        comparison.choices(rows, choice),
        comparison.everybody(rows),
    )
    if out is not None and beside is not None:
        write_text(out, comparison.markdown(lines, players, choices, grid))
        write_text(beside, comparison.lines_text(grid, rows, lines))
    if options.figure:
        figure.save(lambda: drawn(lines), Path(options.figure))
    answer = {"lines": lines, "choices": choices, "players": players, "rows": rows}
    said = [table(comparison.HEADS, map(comparison.cells, lines)), comparison.said(lines)]
    if len(choices) > 1:
        said.append(table(comparison.CHOICES, comparison.candidates(choices)))
    if file is not None and (left := comparison.outdated(file, rows)):
        said.append(f"{left} rows of {file} are of other weights, images or an earlier revision, and were not used.")
    return Answer(answer | {"verdicts": comparison.verdicts(lines)}, "\n\n".join(said))
