"""``ladder``: accuracy after one recovery more each time."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from explorer.cli.console import Answer, table
from explorer.cli.options import Options, add_data, add_model, add_removing, add_scoring, spec_from, whole
from explorer.cli.verb import verb
from explorer.methods.studies.recovery_stages import RECOVERY_STAGES
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    add_model(parser)
    add_data(parser)
    add_scoring(parser, required=False)
    add_removing(parser)
    parser.add_argument(
        "--up-to", choices=list(RECOVERY_STAGES), default="reconstruct", help="the last stage (default: reconstruct)"
    )
    parser.add_argument("--epochs", type=whole, metavar="N", help="of fine-tuning")


@verb(
    "ladder",
    title="Ladder",
    explanation="See accuracy as cut, recalibrated, repaired and fine-tuned, without writing anything.",
    arguments=arguments,
    rank=100,
)
def ladder(options: Options, report: Report) -> Answer:
    from explorer.methods import check
    from explorer.runs.verbs import ladder_of

    spec = spec_from(options)
    check(spec)
    document = ladder_of(spec, options.up_to, report).to_json()
    return Answer(document, _text(document))


def _text(document: Mapping[str, Any]) -> str:
    """A line per recovery stage, from the whole network upwards."""
    from explorer.cli.measurements import quality
    from explorer.tasks import metric_of

    metric = document["metric"]
    rows = [["whole network", quality(document["base"] | {"metric": metric}), ""]]
    for stage in document["rungs"]:
        what = "simulated by mask" if stage["by"] == "mask" else "measured on the cut network"
        rows.append([RECOVERY_STAGES[stage["recovery"]], quality(stage | {"metric": metric}), what])
    kept = "  ".join(f"{kind} {fraction:.1%}" for kind, fraction in document["kept"].items())
    notes = [f"note: {warning}" for warning in document["warnings"]]
    notes += [
        f"{RECOVERY_STAGES[stage['recovery']]}: {note}" for stage in document["rungs"] for note in stage["warnings"]
    ]
    return "\n\n".join([table(["", f"validation {metric_of(document).short}", ""], rows), f"kept: {kept}", *notes])
