"""``papers``: what the library has of the literature, and what of it can be tried here."""

from argparse import ArgumentParser
from typing import Any

from explorer.cli.console import Answer, table
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="WORDS", help="words that title, authors or summary must have")
    parser.add_argument("--tag", metavar="NAME", help="only those about this, such as criteria or no-data")
    parser.add_argument("--here", action="store_true", help="only those of which something can be tried here")


@verb(
    "papers",
    title="Papers",
    explanation="List papers about pruning, with what of each can be tried here.",
    arguments=arguments,
    rank=205,
)
def papers(options: Options, report: Report) -> Answer:
    from explorer.learning.library.papers import search
    from explorer.learning.library.trials import trials

    found = search(" ".join(options.words), tags=[options.tag] if options.tag else [])
    tried = {paper.id: trials(paper) for paper in found}
    found = [paper for paper in found if tried[paper.id] or not options.here]
    document: list[dict[str, Any]] = [
        paper.to_json() | {"here": [{"kind": each.kind, "name": each.name} for each in tried[paper.id]]}
        for paper in found
    ]
    rows = [
        [paper.id, paper.short, paper.title, ", ".join(each.name for each in tried[paper.id]) or "nothing"]
        for paper in found
    ]
    text = table(["id", "paper", "title", "here"], rows)
    return Answer({"papers": document}, text if len(found) > 1 else "\n\n".join([text, *(p.summary for p in found)]))
