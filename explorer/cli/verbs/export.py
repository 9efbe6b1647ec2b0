"""``export``: a pruned model in another format."""

from argparse import ArgumentParser
from pathlib import Path

from explorer.cli.console import Answer
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--model", required=True, metavar="run:DIR", help="a pruned model")
    parser.add_argument("--out", required=True, metavar="FILE.onnx")


@verb("export", title="Export", explanation="Write a pruned model as ONNX.", arguments=arguments, rank=150)
def export(options: Options, report: Report) -> Answer:
    from explorer.runs.verbs import export_run

    document = export_run(options.model, Path(options.out), report)
    text = f"{document['out']}: {document['size_bytes']:,} bytes, differs from torch by {document['max_abs_diff']:.1e}"
    return Answer(document, text)
