"""``readings``: whether a network's pictures and classes are read as they were in its training."""

from argparse import ArgumentParser

from explorer.cli.console import Answer, table
from explorer.cli.options import Options, add_data, add_model, spec_from
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    add_model(parser)
    add_data(parser)


@verb(
    "readings",
    title="Readings",
    explanation="Try other normalisations, channel orders and class orders where accuracy is too low.",
    arguments=arguments,
    rank=145,
)
def readings(options: Options, report: Report) -> Answer:
    from explorer.methods import check
    from explorer.methods.studies.readings import readings as tried

    spec = spec_from(options)
    check(spec, removes=False)
    found = tried(spec, report)
    ways = [found.now, *found.others]
    rows = [[way.title, f"{way.top1:.1%}", f"{way.low:.1%} to {way.high:.1%}", way.ref or "–"] for way in ways]
    told = f"on {found.samples} validation samples; always the most frequent class gives {found.chance:.1%}"
    parts = [table(["read", "top-1", "95 % interval", "its ref"], rows), told]
    if found.better and found.better[0].ref:
        parts.append(f"read it so: --model '{found.better[0].ref}'")
    return Answer(found.to_json(), "\n\n".join(parts))
