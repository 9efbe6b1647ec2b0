"""``app``: the pages."""

from argparse import ArgumentParser

from explorer.cli.console import Answer
from explorer.cli.options import Options, whole
from explorer.cli.verb import verb
from explorer.errors import ExplorerError
from explorer.progress import Report
from explorer.sources.registries import MODEL_SOURCES


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "model", nargs="?", metavar="REF", help="to open: a model ref, or FILE.py:FUNCTION (default: a demo model)"
    )
    parser.add_argument("--data", metavar="REF", help="to open it on (default: what it was made for)")
    parser.add_argument("--port", type=whole, metavar="N", help="to listen on (default: 8501)")
    parser.add_argument(
        "--class",
        dest="room",
        action="store_true",
        help="serve a class in a room: listen on all interfaces, say what that opens, and limit what one server takes",
    )
    parser.add_argument("--address", metavar="HOST", help="to listen on (default: this machine only)")


@verb("app", title="App", explanation="Open the app in a browser.", arguments=arguments, rank=10)
def app(options: Options, report: Report) -> Answer:
    from explorer.ui.launcher import launch

    if options.port is not None and not 0 < options.port < 2**16:
        raise ExplorerError("a port is a number from 1 to 65535: give another --port")
    start = _start(options)
    if options.room:
        from explorer.ui.room import serve

        serve(port=options.port, address=options.address, start=start)
    else:
        launch(port=options.port, address=options.address, start=start)
    return Answer({}, "")


def _start(options: Options) -> tuple[str, str] | None:
    """The model and data to open, which are tried before the server starts.

    Raises:
        ExplorerError: they can't be opened, or data is named alone.
    """
    if options.model is None:
        if options.data is not None:
            raise ExplorerError("--data needs a model before it: python -m explorer app MODEL --data REF")
        return None
    from explorer.cli.own_code import allow, listed
    from explorer.sources import load_pair

    ref = options.model
    if ".py:" in ref and ref.partition(":")[0] not in MODEL_SOURCES:
        ref = f"python:{ref}"
    refs = [ref, *([options.data] if options.data else [])]
    for each in refs:
        allow(each)
        listed(each)
    model, task = load_pair(ref, options.data)
    return model.ref, options.data or task.ref
