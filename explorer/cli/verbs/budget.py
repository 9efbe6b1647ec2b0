"""``budget``: what targets come to."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from explorer.cli.console import Answer, table
from explorer.cli.options import Options, add_data, add_model, add_removing, add_scoring, spec_from
from explorer.cli.verb import verb
from explorer.errors import ExplorerError
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    add_model(parser)
    add_data(parser)
    add_scoring(parser, required=False)
    add_removing(parser)


@verb(
    "budget",
    title="Budget",
    explanation="Share out targets and see what they come to, without cutting.",
    arguments=arguments,
    rank=80,
)
def budget(options: Options, report: Report) -> Answer:
    from explorer.methods import check
    from explorer.methods.tools.budgeting import budget_of

    spec = spec_from(options)
    if not spec.keep:
        raise ExplorerError("there is no target to share out: give one, such as --keep macs=0.5 or --keep size=2MB")
    check(spec)
    document = budget_of(spec, report).to_json()
    return Answer(document, _text(document))


def _text(document: Mapping[str, Any]) -> str:
    """What was in reach, what it came to, which target binds, and what would come next."""
    from explorer.budget import amount

    rows = []
    for reach in document["reach"]:
        kind, whole, cost = reach["kind"], reach["whole"], document["costs"][reach["kind"]]
        values = [f"{amount(kind, value)} ({value / whole:.1%})" for value in (reach["lowest"], cost)]
        binds = "binds" if kind in document["binding"] else ""
        feasible = "yes" if reach["feasible"] else "no"
        rows.append([reach["target"], amount(kind, whole), values[0], feasible, values[1], binds])
    changed = [[g["name"], g["size"], g["kept"]] for g in document["groups"] if g["kept"] < g["size"]]
    parts = [
        table(["target", "whole", "least", "feasible", "kept", ""], rows),
        table(["group", "channels", "kept"], changed),
        *filter(None, [_latency_words(document["latency"]), _effect_words(document["effect"])]),
        *filter(None, [_next_words(document["next"])]),
        *(f"note: {warning}" for warning in document["warnings"]),
    ]
    return "\n\n".join(parts)


def _latency_words(latency: Mapping[str, Any] | None) -> str:
    if latency is None:
        return ""
    error = latency["predicted_ms"] / latency["measured_ms"] - 1
    where = f"{latency['runtime']}, batch of {latency['batch']}"
    return (
        f"latency ({where}): {latency['measured_ms']:.2f} ms measured on the cut network, "
        f"{latency['predicted_ms']:.2f} ms predicted ({error:+.1%}), whole {latency['whole_ms']:.2f} ms"
    )


def _effect_words(effect: Mapping[str, Any] | None) -> str:
    if effect is None:
        return ""
    from explorer.tasks import metric_of

    metric = metric_of(effect)
    base, predicted, measured = (metric.text(effect[key]) for key in ("base", "predicted", "measured"))
    return f"validation {metric.short}: {base} whole, {predicted} if the groups' drops added up, {measured} measured"


def _next_words(step: Mapping[str, Any] | None) -> str:
    from explorer.budget import amount

    if step is None:
        return "next: every group is at its minimum"
    saves = " and ".join(f"{amount(kind, value)}{_NOUNS[kind]}" for kind, value in step["saves"].items())
    return f"next: {step['units']} more of {step['group']} save {saves}, the most for the score that leaves"


_NOUNS = {"params": " params", "macs": " MACs", "size": "", "latency": ""}
