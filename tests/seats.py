"""A browser's tab that stays open: it is told what changes, asks again what refreshes itself, and works the page."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection

from tests.tabs import PATIENCE, Shown

INTERNAL = "$$STREAMLIT_INTERNAL_KEY"  # what ids of a component's triggers begin with
Path = tuple[int, ...]


@dataclass(frozen=True)
class Placed:
    """An element where it stands, and the run that put it there."""

    element: Any
    run: int

    @cached_property
    def document(self) -> dict[str, Any]:
        """What a component is told; empty for others. Read once: thirty seats share a processor with the server."""
        if self.element.WhichOneof("type") != "bidi_component" or not self.element.bidi_component.json:
            return {}
        return json.loads(self.element.bidi_component.json)


class Seat:
    """One open page with all that a browser does for it: parts that refresh themselves are asked for in time.

    Args:
        page: its address on the server.
    """

    def __init__(self, socket: ClientConnection, page: str) -> None:
        self._socket, self._page = socket, page
        self._script = ""  # what the server calls the page that it has shown last
        self.query = ""
        self._expected = 0
        self.runs = 0  # of the whole page, that have begun
        self.finished = 0  # the latest of them that has ended
        self.messages = self.bytes = 0
        self._placed: dict[Path, Placed] = {}
        self._blocks: dict[Path, Any] = {}
        self._cached: dict[str, bytes] = {}
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Seat":
        self._reader = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop_timers()
        if self._reader is not None and not self._reader.done():
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader

    @property
    def token(self) -> str:
        """Of the workspace, as the address names it; empty where it does not."""
        return parse_qs(self.query).get("w", [""])[0]

    @property
    def shown(self) -> Shown:
        """What stands on the page now."""
        return Shown(self.query, [placed.element for _, placed in sorted(self._placed.items())])

    def has(self, kind: str, label: str) -> bool:
        """Whether a widget stands there, by Streamlit's name of its kind."""
        return self._widget(kind, label) is not None

    def _widget(self, kind: str, label: str) -> Any:
        elements = (element for element in self.shown.elements if element.WhichOneof("type") == kind)
        found = (getattr(element, kind) for element in elements)
        return next((widget for widget in found if widget.label == label), None)

    def named(self, component: str) -> str:
        """The id of the component that was registered under a name."""
        elements = (element for element in self.shown.elements if element.WhichOneof("type") == "bidi_component")
        found = (element.bidi_component for element in elements)
        return next(each.id for each in found if each.component_name.endswith(component))

    @property
    def words(self) -> str:
        """All text on the page, as Markdown."""
        elements = (element for element in self.shown.elements if element.WhichOneof("type") == "markdown")
        return "\n".join(element.markdown.body for element in elements)

    async def submit(self, button: str, typed: dict[str, str]) -> None:
        """Types into fields of a form and presses its button; does not wait."""
        ids = {label: self._widget("text_input", label).id for label in typed}
        fields = [WidgetState(id=ids[label], string_value=text) for label, text in typed.items()]
        await self.send(*fields, WidgetState(id=self._widget("button", button).id, trigger_value=True))

    async def choose(self, label: str, option: str) -> None:
        """Chooses one of a few buttons."""
        state = WidgetState(id=self._widget("button_group", label).id)
        state.string_array_value.data.append(option)
        await self.ask(state)

    async def next(self) -> None:
        """Waits for the next message."""
        heard = self.messages
        await self.until(lambda: self.messages > heard)

    def components(self, member: str) -> list[tuple[str, dict[str, Any], int]]:
        """Id, document and run of the components whose documents have a member of that name."""
        found = []
        for _, placed in sorted(self._placed.items()):
            if member in placed.document:
                found.append((placed.element.bidi_component.id, placed.document, placed.run))
        return found

    async def open(self, query: str = "") -> Shown:
        """Loads the page."""
        self.query, self._script = query, ""
        return await self.ask()

    async def ask(self, *states: WidgetState) -> Shown:
        """Lets the page run with what widgets say; what stands there when it has."""
        await self.send(*states)
        await self.settled()
        return self.shown

    async def send(self, *states: WidgetState, fragment: str = "") -> None:
        """Asks for a run, and does not wait for it."""
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_name = "" if self._script else self._page
        message.rerun_script.page_script_hash = self._script
        message.rerun_script.widget_states.widgets.extend(states)
        message.rerun_script.cached_message_hashes.extend(self._cached)
        if fragment:
            message.rerun_script.fragment_id, message.rerun_script.is_auto_rerun = fragment, True
        else:
            self._expected = self.runs + 1
        await self._socket.send(message.SerializeToString())

    async def trigger(self, component: str, name: str, value: Any) -> None:
        """What a component tells once."""
        told = json.dumps([{"event": name, "value": value}])
        event = WidgetState(id=f"{INTERNAL}_{component}__events", json_trigger_value=told)
        await self.send(WidgetState(id=component, json_value="{}"), event)

    async def settled(self) -> None:
        """Waits until the run that was asked for last has ended."""
        await self.until(lambda: self.finished >= self._expected)

    async def until(self, holds: Callable[[], bool], patience: float = PATIENCE) -> float:
        """Waits until something holds that messages may change; seconds that took.

        Raises:
            TimeoutError: it does not within `patience` seconds.
            ConnectionError: nothing more will be heard.
        """
        start = time.perf_counter()
        async with asyncio.timeout(patience):
            while not holds():
                if self._reader is not None and self._reader.done():
                    self._reader.result()
                    raise ConnectionError("the server has closed the page")
                self._changed.clear()
                await self._changed.wait()
        return time.perf_counter() - start

    async def _listen(self) -> None:
        try:
            async for raw in self._socket:
                self.messages += 1
                self.bytes += len(raw)
                self._hear(ForwardMsg.FromString(raw))
                self._changed.set()
        finally:
            self._changed.set()

    def _hear(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "ref_hash":
            kept = ForwardMsg.FromString(self._cached[message.ref_hash])
            kept.metadata.CopyFrom(message.metadata)
            self._hear(kept)
            return
        if message.hash and message.metadata.cacheable:
            self._cached[message.hash] = message.SerializeToString()
        match kind:
            case "new_session" if not message.metadata.run.fragment_ids:
                self.runs += 1
                self._stop_timers()
            case "navigation":
                self._script = message.navigation.page_script_hash
            case "page_info_changed":
                self.query = message.page_info_changed.query_string
            case "auto_rerun":
                self._refresh(message.auto_rerun.fragment_id, message.auto_rerun.interval)
            case "stop_auto_rerun":
                self._stop_timers(*message.stop_auto_rerun.fragment_ids)
            case "delta":
                self._place(tuple(message.metadata.delta_path), message.delta)
            case "script_finished":
                self._end(message.script_finished)

    def _place(self, path: Path, delta: Any) -> None:
        """An element or a container takes the place of what stood there, with all that was in it."""
        match delta.WhichOneof("type"):
            case "new_element":
                self._placed[path] = Placed(delta.new_element, self.runs)
            case "add_block":
                for inside in [other for other in self._placed if other == path]:
                    del self._placed[inside]

    def _end(self, how: int) -> None:
        """A part that runs alone tells as well that the whole has ended, of which Streamlit may lose the word."""
        if how in (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY):
            self.finished = self.runs
        if how == ForwardMsg.FINISHED_SUCCESSFULLY:
            self._placed = {path: placed for path, placed in self._placed.items() if placed.run == self.runs}

    def _refresh(self, fragment: str, seconds: float) -> None:
        async def again() -> None:
            while True:
                await asyncio.sleep(seconds)
                await self.send(fragment=fragment)

        self._stop_timers(fragment)
        self._timers[fragment] = asyncio.create_task(again())

    def _stop_timers(self, *fragments: str) -> None:
        """Those of some fragments; of all where none is named."""
        for fragment in fragments or list(self._timers):
            if timer := self._timers.pop(fragment, None):
                timer.cancel()
