"""Many people at once: whether anybody's state is mixed with another's, how long they wait, and what memory they leave.

    python benchmarks/sessions.py [--json] [--together 40] [--first 20] [--last 200] [--wave 10] [--seed 0]

Sessions talk to a server of their own as a browser does, by its websocket, without what a browser costs. Each one
opens the Budget page by a link to a cut of its own, goes to a second one, and takes that back with Undo; then it leaves,
and somebody comes back by the workspace's address and reads what is there. *Mixed* counts the readings, of four in each
session, that were not that session's own. First `together` sessions do so at once; then others, `wave` at a time, until
`first` and until `last` of them are over, when the server's memory is read. The ratio is the second memory over the
first.
"""

import asyncio
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import psutil
from sidebyside import options, present
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

from explorer.ui.state.share import PARAMETER, Shared, link_text, read_link
from explorer.ui.state.workspace import Choice
from tests.browser.app import App, running

PAGE = "channel-budget"
MODEL, DATA, CRITERION = "demo:resnet20-digits", "digits", "l2"
GROUPS = [f"layer{stage}.{block}.conv1" for stage in (1, 2, 3) for block in range(3)]
LINK = re.compile(rf"\?{PARAMETER}=([A-Za-z0-9_-]+)")
PATIENCE = 600.0  # seconds; a busy server is slow, not wrong
LARGEST = 2**27  # bytes of one message


@dataclass
class Shown:
    """What one run of the script has put on the page."""

    query: str = ""
    elements: list[Any] = field(default_factory=list)

    @property
    def choice(self) -> Choice | None:
        """The cut that the page's own link tells; None where it shows none."""
        texts = (element.code.code_text for element in self.elements if element.WhichOneof("type") == "code")
        links = [found[1] for text in texts if (found := LINK.search(text))]
        return read_link(links[0]).choice if links else None

    @property
    def errors(self) -> list[str]:
        """What the page says went wrong."""
        kinds = {"exception": "message", "alert": "body"}
        found = ((element.WhichOneof("type"), element) for element in self.elements)
        return [getattr(getattr(element, kind), kinds[kind]) for kind, element in found if kind in kinds]

    def button(self, label: str) -> str:
        """The id of the button with that label."""
        buttons = (element.button for element in self.elements if element.WhichOneof("type") == "button")
        return next(button.id for button in buttons if button.label == label)


class Tab:
    """One open page: a connection to the server, as a browser's tab has."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._query = ""

    async def open(self, **parameters: str) -> Shown:
        """Loads the page with parameters in its address."""
        self._query = urlencode(parameters)
        return await self._run()

    async def press(self, button: str) -> Shown:
        return await self._run(WidgetState(id=button, trigger_value=True))

    async def _run(self, *states: WidgetState) -> Shown:
        message = BackMsg()
        message.rerun_script.query_string = self._query
        message.rerun_script.page_name = PAGE
        message.rerun_script.widget_states.widgets.extend(states)
        await self._socket.send(message.SerializeToString())
        shown = Shown(self._query)
        async with asyncio.timeout(PATIENCE):
            while True:
                answer = ForwardMsg.FromString(await self._socket.recv())
                match answer.WhichOneof("type"):
                    case "new_session":
                        shown.elements.clear()  # of a run that was started anew
                    case "page_info_changed":
                        shown.query = self._query = answer.page_info_changed.query_string
                    case "delta" if answer.delta.WhichOneof("type") == "new_element":
                        shown.elements.append(answer.delta.new_element)
                    case "script_finished" if answer.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                        return shown


def cut(*key: object) -> Choice:
    """A cut that belongs to `key` alone."""
    generator = random.Random(repr(key))
    return Choice({name: round(generator.uniform(0.05, 0.8), 6) for name in generator.sample(GROUPS, 4)})


def link(choice: Choice) -> str:
    return link_text(Shared(MODEL, DATA, CRITERION, {}, choice))


@dataclass
class Visit:
    """What one session has met: seconds of its runs, and readings that were not its own."""

    seconds: list[float] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    token: str = ""

    async def timed(self, action: Any, expected: Choice, where: str) -> Shown:
        start = time.perf_counter()
        shown = await action
        self.seconds.append(time.perf_counter() - start)
        self.errors += shown.errors
        if shown.choice != expected:
            self.mixed.append(f"{where}: {shown.choice} instead of {expected}")
        return shown


def tab(app: App) -> connect:
    url = app.url.replace("http", "ws") + "/_stcore/stream"
    return connect(url, subprotocols=["streamlit"], max_size=LARGEST, proxy=None, ping_interval=None)


async def visit(app: App, *key: object, gate: Callable[[], Any] | None = None) -> Visit:
    """One session, from its first link to the coming back; it waits at `gate` before it comes back."""
    found, first, second = Visit(), cut(*key, "first"), cut(*key, "second")
    async with tab(app) as socket:
        page = Tab(socket)
        shown = await found.timed(page.open(s=link(first)), first, "opened")
        (found.token,) = parse_qs(shown.query)["w"]
        shown = await found.timed(page.open(w=found.token, s=link(second)), second, "went on")
        await found.timed(page.press(shown.button("Undo")), first, "taken back")
    if gate:
        await gate()
    async with tab(app) as socket:
        await found.timed(Tab(socket).open(w=found.token), first, "come back")
    return found


async def crowd(app: App, size: int, seed: int) -> list[Visit]:
    """Sessions that are all there at once: none comes back before the last one has left."""
    barrier = asyncio.Barrier(size)
    return await asyncio.gather(*(visit(app, seed, "crowd", number, gate=barrier.wait) for number in range(size)))


async def waves(app: App, numbers: Iterable[int], size: int, seed: int) -> list[Visit]:
    """Sessions one after another, at most `size` at a time."""
    turn = asyncio.Semaphore(size)

    async def one(number: int) -> Visit:
        async with turn:
            return await visit(app, seed, "wave", number)

    return await asyncio.gather(*(one(number) for number in numbers))


def resident(app: App) -> float:
    """Megabytes of memory that the server's process has."""
    return psutil.Process(app.process.pid).memory_info().rss / 2**20


def row(what: str, visits: list[Visit], seconds: float, app: App) -> dict[str, Any]:
    times = [taken for visit in visits for taken in visit.seconds]
    return {
        "sessions": what,
        "mixed": sum(len(visit.mixed) for visit in visits),
        "errors": sum(len(visit.errors) for visit in visits),
        "workspaces": len({visit.token for visit in visits}),
        "seconds": seconds,
        "median": statistics.median(times),
        "slowest": max(times),
        "memory": resident(app),
    }


def main() -> None:
    chosen = options(__doc__, together=40, first=20, last=200, wave=10, seed=0)
    rows, told = [], []

    def clocked(what: str, work: Any) -> None:
        start = time.perf_counter()
        visits = asyncio.run(work)
        rows.append(row(what, visits, time.perf_counter() - start, app))
        told.extend(sentence for visit in visits for sentence in (*visit.mixed, *visit.errors))

    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as app:
        clocked(f"{chosen.together} at once", crowd(app, chosen.together, chosen.seed))
        clocked(f"{chosen.first} in turn", waves(app, range(chosen.first), chosen.wave, chosen.seed))
        clocked(f"{chosen.last} in turn", waves(app, range(chosen.first, chosen.last), chosen.wave, chosen.seed))
    present(rows, {"memory": rows[-1]["memory"] / rows[-2]["memory"]}, as_json=chosen.json)
    for sentence in told:
        print(sentence)


if __name__ == "__main__":
    main()
