"""``export``: a pruned model in another format."""

from argparse import ArgumentParser
from pathlib import Path

from explorer.cli.choices import names_of, records
from explorer.cli.console import Answer
from explorer.cli.options import Options, add_trust
from explorer.cli.verb import verb
from explorer.export.registry import FORMATS
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--model", required=True, metavar="run:DIR", help="a pruned model")
    add_trust(parser)
    known = names_of([name for name, entry in records(FORMATS).items() if entry.alone])
    parser.add_argument("--out", required=True, metavar="FILE.onnx")
    parser.add_argument("--format", default="onnx", metavar="NAME", help=f"{known} (default: onnx)")


@verb("export", title="Export", explanation="Write a pruned model as ONNX.", arguments=arguments, rank=150)
def export(options: Options, report: Report) -> Answer:
    from explorer.runs.verbs import export_run

    document = export_run(options.model, Path(options.out), report, name=options.format)
    text = f"{document['out']}: {Path(document['out']).stat().st_size:,} bytes"
    if "max_abs_diff" in document:
        text += f", differs from torch by {document['max_abs_diff']:.1e}"
    return Answer(document, text)
