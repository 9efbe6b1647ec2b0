"""``demo letters``: the bundled pictures of letters, from the fonts of Debian."""

from argparse import ArgumentParser

from explorer.cli.console import Answer, table
from explorer.cli.options import Options, folder
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--fonts", type=folder, metavar="DIR", help="folder of the fonts (default: /usr/share/fonts)")
    parser.add_argument(
        "--out", type=folder, metavar="DIR", help="for the pictures, which must be there (default: the bundled ones)"
    )
    parser.add_argument("--packages", action="store_true", help="only list the packages of fonts that are needed")


@verb(
    "demo letters",
    title="Letters",
    explanation="Draw the bundled pictures of letters again, from the fonts of Debian's packages.",
    arguments=arguments,
    rank=181,
)
def demo_letters(options: Options, report: Report) -> Answer:
    from explorer.places import ASSETS
    from explorer.sources.letter_making import FONTS, make_letters
    from explorer.sources.letter_packages import PACKAGES

    if options.packages:
        names = [package.name for package in PACKAGES]
        return Answer({"packages": names}, "\n".join(names))
    out = ASSETS if options.out is None else options.out
    record = make_letters(out, FONTS if options.fonts is None else options.fonts, report)
    rows = [[part, str(fonts), f"{26 * fonts:,}"] for part, fonts in record["fonts"].items()]
    return Answer({"letters": record, "out": str(out)}, table(["part", "fonts", "pictures"], rows))
