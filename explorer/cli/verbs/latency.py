"""``latency``: the time of every group by its width."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from explorer.cli.console import Answer, table
from explorer.cli.options import Options, add_device, add_model, add_timing
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    add_model(parser)
    add_device(parser)
    add_timing(parser)
    parser.add_argument("--anew", action="store_true", help="time again what the cache has")


@verb(
    "latency",
    title="Latency",
    explanation="Time every group by width on this device, and check what that predicts.",
    arguments=arguments,
    rank=90,
)
def latency(options: Options, report: Report) -> Answer:
    from explorer.methods.studies.latency_profile import latency_of

    asked = {name: getattr(options, name) for name in ("runtime", "batch", "device")}
    given = {name: value for name, value in asked.items() if value is not None}
    document = latency_of(options.model, options.input, anew=options.anew, report=report, **given).to_json()
    return Answer(document, _text(document))


def _text(document: Mapping[str, Any]) -> str:
    """The latency table of every group, and how well it predicts whole plans."""
    base = document["base_ms"]
    rows = []
    for name, found in document["groups"].items():
        cliffs = {(cliff["width"], cliff["to"]): cliff["why"] for cliff in found["cliffs"]}
        wider = None
        for point in found["points"]:
            change = point["ms"] - base
            spread = f"{point['low'] - base:+.3f} to {point['high'] - base:+.3f}"
            rows.append([name, point["width"], f"{change:+.3f}", spread, cliffs.get((wider, point["width"]), "")])
            wider = point["width"]
    checks = [
        [number, f"{c['predicted_ms']:.3f}", f"{c['measured_ms']:.3f}", f"{c['error']:+.1%}", f"{c['additive_ms']:.3f}"]
        for number, c in enumerate(document["checks"], start=1)
    ]
    where = f"{document['runtime']}, batch of {document['batch']}, {document['device']}"
    parts = [
        f"{document['model']}: {base:.3f} ms ({where}); {document['reach_ms']:.3f} ms with all groups at their fastest",
        table(["group", "channels", "ms more", "95 % interval", "cliff"], rows),
        table(["plan", "predicted ms", "measured ms", "error", "plain sum ms"], checks),
        *(f"note: {remark}" for remark in document["remarks"]),
    ]
    return "\n\n".join(parts)
