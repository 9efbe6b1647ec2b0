"""``glossary``: what a word of the pages means."""

from argparse import ArgumentParser

from explorer.cli.console import Answer, table
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("term", nargs="*", metavar="TERM", help="a word, such as MACs or recalibration (default: all)")


@verb(
    "glossary",
    title="Glossary",
    explanation="Say what a word of the pages means, or list all words.",
    arguments=arguments,
    rank=210,
)
def glossary(options: Options, report: Report) -> Answer:
    from explorer.learning.library.glossary import term, terms

    found = [term(" ".join(options.term))] if options.term else list(terms().values())
    rows = [[each.name, each.meaning] for each in found]
    return Answer({"terms": [each.to_json() for each in found]}, table(["term", "meaning"], rows))
