"""``app``: the pages."""

from argparse import ArgumentParser

from explorer.cli.console import Answer
from explorer.cli.options import Options, whole
from explorer.cli.verb import verb
from explorer.errors import ExplorerError
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--port", type=whole, metavar="N", help="to listen on (default: 8501)")
    parser.add_argument("--address", metavar="HOST", help="to listen on (default: this machine only)")


@verb("app", title="App", explanation="Open the app in a browser.", arguments=arguments, rank=10)
def app(options: Options, report: Report) -> Answer:
    from explorer.ui.launcher import launch

    if options.port is not None and not 0 < options.port < 2**16:
        raise ExplorerError("a port is a number from 1 to 65535: give another --port")
    launch(port=options.port, address=options.address)
    return Answer({}, "")
