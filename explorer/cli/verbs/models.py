"""``models``: what can be loaded."""

from argparse import ArgumentParser

from explorer.cli.console import Answer, table, times
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--search",
        metavar="TEXT",
        help="refs of models and data for a name, words of one, a path or an id of the hub: the likeliest first",
    )


@verb("models", title="Models", explanation="List the models that can be loaded.", arguments=arguments, rank=20)
def models(options: Options, report: Report) -> Answer:
    return _listed() if options.search is None else _found(options.search)


def _listed() -> Answer:
    """All that need no path."""
    from explorer.sources import list_models

    entries = [
        {
            "ref": entry.ref,
            "title": entry.title,
            "input_shape": list(entry.input_shape),
            "trained": entry.trained,
            "note": entry.note,
        }
        for entry in list_models()
    ]
    rows = [
        [e["ref"], times(e["input_shape"]), "trained" if e["trained"] else "untrained", e["title"]] for e in entries
    ]
    return Answer({"models": entries}, table(["model", "input", "weights", "title"], rows))


def _found(text: str) -> Answer:
    """What a text may mean."""
    from dataclasses import asdict

    from explorer.errors import ExplorerError
    from explorer.sources.finding.search import search

    found = search(text)
    if not found:
        raise ExplorerError(f"nothing is called {text!r}: python -m explorer models lists what there is")
    rows = [[each.ref, each.kind, each.problem or each.why] for each in found]
    return Answer({"found": [asdict(each) for each in found]}, table(["ref", "kind", "what it is"], rows))
