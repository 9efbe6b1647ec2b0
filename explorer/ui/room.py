"""The app served to a room: what it listens on, what that opens to whom, and how much one server takes."""

import os

from explorer.learning.classes.addresses import own_address
from explorer.runs.queue.lanes import YIELD
from explorer.runs.queue.limits import PAGES, UPLOADS, WAITING, WORKSPACES
from explorer.ui.launcher import launch

EVERYBODY = "0.0.0.0"
PORT = 8501  # where nothing else is said
LIMITS = {PAGES: "240", WORKSPACES: "240", WAITING: "128", UPLOADS: "2G"}
"""Half of each may come from one address: a room of sixty behind one router, with two pages each, has room in that.

Thirty are what two processor cores serve, see benchmarks/classroom.py.
"""

CALM = {YIELD: "1", "OMP_NUM_THREADS": "1"}
"""A page's answer goes first, and no process cuts its work up among processors that others keep busy."""


def serve(*, port: int | None, address: str | None, start: tuple[str, str] | None) -> None:
    """Serves a room until it is interrupted; a limit that the environment names stands.

    Args:
        port, address, start: as `explorer.ui.launcher.launch` takes them; by default everybody may come.

    Raises:
        ExplorerError: see `launch`.
    """
    for name, value in {**LIMITS, **CALM}.items():
        os.environ.setdefault(name, value)
    print(told(address or EVERYBODY, port or PORT), flush=True)
    launch(port=port, address=address or EVERYBODY, start=start)


def told(address: str, port: int) -> str:
    """What who starts the server has to know.

    Args:
        address: what it listens on.
    """
    host = own_address() if address == EVERYBODY else address
    where = f"http://{host}:{port}/class" if host else "no address: this machine is in no network"
    return f"""\
Write on the board:   {where}
Open that page yourself first and open a class: it gives you a code for the board, and a secret link for yourself.

What this opens: everybody who can reach this address may open pages, join a class by its code, open a class, upload
files within limits, and let this machine work. Nobody signs in, and nothing is encrypted: use it in a network that you
trust, and not on the internet. No browser may name a file of this machine, nor start code on it, unless EXPLORER_ROOTS
or EXPLORER_MODELS list it. docs/serving.md has all of it.
End it with Ctrl-C: classes, links and runs are there again when it is started in the same folder.
"""
