"""``bench coverage``: which models can be cut."""

from argparse import ArgumentParser

from explorer.cli.console import Answer, table
from explorer.cli.options import Options
from explorer.cli.tables import add_files, add_processes, kept, processes, target
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="for example torchvision:resnet*")
    parser.add_argument("--family", default="all", metavar="NAME", help="torchvision, timm, hf, other or all (default)")
    parser.add_argument("--no-onnx", action="store_true", help="leave out the export, which takes longest")
    add_files(parser)
    add_processes(parser)


@verb(
    "bench coverage",
    title="Coverage",
    explanation="Show which models can be cut, and how well.",
    arguments=arguments,
    rank=170,
)
def coverage(options: Options, report: Report) -> Answer:
    from explorer.bench.coverage import HEADS, cells, coverage, is_wrong, markdown, summary
    from explorer.files import write_text

    out = target(options, HEADS)
    rows = coverage(
        options.only,
        family=options.family,
        onnx=not options.no_onnx,
        processes=processes(options),
        report=report,
        kept=kept(options),
    )
    if out:
        write_text(out, markdown(rows))
    text = f"{table(HEADS, map(cells, rows))}\n\n{summary(rows)}"
    return Answer({"rows": rows}, text, code=1 if any(map(is_wrong, rows)) else 0)
