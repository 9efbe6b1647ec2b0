"""A browser's tabs without a browser: the app as a server says it, by its websocket."""

import asyncio
import re
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

from explorer.ui.state.share import PARAMETER, read_link
from explorer.ui.state.workspace import Choice
from tests.markdown import as_read

T = TypeVar("T")
LINK = re.compile(rf"\?{PARAMETER}=([A-Za-z0-9_-]+)")
PATIENCE = 600.0  # seconds; a busy server is slow, not wrong
LARGEST = 2**27  # bytes of one message


def in_own_loop(work: Coroutine[Any, Any, T]) -> T:
    """Does the work in a thread of its own: Playwright leaves a loop running in that of the tests."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


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
        return [as_read(getattr(getattr(element, kind), kinds[kind])) for kind, element in found if kind in kinds]

    def button(self, label: str) -> str:
        """The id of the button with that label."""
        buttons = (element.button for element in self.elements if element.WhichOneof("type") == "button")
        return next(button.id for button in buttons if button.label == label)


class Tab:
    """One open page: a connection to the server, as a browser's tab has; `page` is its address there."""

    def __init__(self, socket: ClientConnection, page: str) -> None:
        self._socket, self._page = socket, page
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
        message.rerun_script.page_name = self._page
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


def tab(url: str) -> connect:
    """A connection to the server at `url`, for `Tab`."""
    stream = url.replace("http", "ws", 1) + "/_stcore/stream"
    return connect(stream, subprotocols=["streamlit"], max_size=LARGEST, proxy=None, ping_interval=None)
