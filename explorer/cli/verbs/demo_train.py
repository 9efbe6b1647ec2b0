"""``demo train``, or ``demo`` alone: the bundled checkpoints, from nothing."""

from argparse import ArgumentParser

from explorer.cli.console import Answer, table
from explorer.cli.options import Options, folder
from explorer.cli.verb import verb
from explorer.errors import unknown
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--model", metavar="REF", help="only this one, for example demo:resnet20-digits")
    parser.add_argument("--out", type=folder, metavar="DIR", help="for the checkpoints (default: the bundled ones)")


@verb(
    "demo train",
    title="Demo",
    explanation="Train the bundled checkpoints again from nothing.",
    arguments=arguments,
    rank=180,
)
def demo_train(options: Options, report: Report) -> Answer:
    from explorer.places import ASSETS
    from explorer.sources.demo_training import RECIPES, train_all, train_demo

    out = ASSETS if options.out is None else options.out
    if options.model is None:
        records = train_all(report, out)
    elif options.model in RECIPES:
        records = {options.model: train_demo(options.model, report, out)}
    else:
        raise unknown("demo model", options.model, RECIPES)
    rows = [[ref, f"{record['top1']:.1%}", f"{record['seconds']:.0f} s"] for ref, record in records.items()]
    return Answer({"checkpoints": records, "out": str(out)}, table(["model", "test top-1", "trained in"], rows))
