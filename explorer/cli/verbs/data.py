"""``data``: what data is understood to be, before anything is done with it."""

from argparse import ArgumentParser
from typing import Any

from explorer.cli.console import Answer, table, times
from explorer.cli.options import Options, add_data_ref, shape
from explorer.cli.verb import verb
from explorer.progress import Report

_ROWS = 40  # of classes


def arguments(parser: ArgumentParser) -> None:
    add_data_ref(parser)
    parser.add_argument("--model", metavar="REF", help="the model that it is for: texts need its tokenizer")
    parser.add_argument("--input", type=shape, metavar="CxHxW", help="input shape of the model, as 3x224x224")


@verb(
    "data",
    title="Data",
    explanation="Show what data is understood to be: its kind, classes, parts, counts, and what is odd about it.",
    arguments=arguments,
    rank=45,
)
def data(options: Options, report: Report) -> Answer:
    from explorer.sources import load_pair, load_task
    from explorer.sources.reading.checking import BadPicturesError
    from explorer.tasks import census

    report(0.0, f"reading {options.data}")
    try:
        if options.model is None:
            task = load_task(options.data, input_shape=options.input)
        else:
            task = load_pair(options.model, options.data, input_shape=options.input)[1]
    except BadPicturesError as error:
        lines = [*error.bad, "", str(error)]
        return Answer({"error": str(error), "bad": list(error.bad), "without": error.without}, "\n".join(lines), code=2)
    counted = census(task)
    document = {
        "data": task.ref,
        "title": task.title,
        "kind": task.kind,
        "classes": list(task.classes),
        "input": list(task.input_shape),
        **counted.to_json(),
        "note": task.note,
        "remarks": [*task.remarks, *counted.remarks()],
    }
    return Answer(document, _text(document))


def _text(document: dict[str, Any]) -> str:
    samples = document["samples"]
    parts = ", ".join(f"{count:,} {part}" for part, count in samples.items())
    lines = [
        f"{document['data']}  {document['kind']}, {len(document['classes'])} classes",
        f"{sum(samples.values()):,} samples ({parts})  input {times(document['input'])}",
        document["note"],
        *(f"note: {remark}" for remark in document["remarks"]),
    ]
    if (majority := document["majority"]) is not None:
        lines.append(f"always answering {majority['class']} gets {majority['share']:.1%} of the test part")
    counts = "" if document["counts"] is None else f"\n\n{_counts(document)}"
    return "\n".join(filter(None, lines)) + counts


def _counts(document: dict[str, Any]) -> str:
    """A row for each class, the largest first where there are too many to show."""
    counts = document["counts"]
    names = list(next(iter(counts.values())))
    if more := len(names) - _ROWS if len(names) > _ROWS else 0:
        names = sorted(names, key=lambda name: -sum(found[name] for found in counts.values()))[:_ROWS]
    rows = [[name, *(found[name] for found in counts.values())] for name in names]
    said = table([f"{document['counted']} of", *counts], rows)
    return said + (f"\nand {more:,} more classes, see --json" if more else "")
