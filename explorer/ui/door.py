"""Who comes in: how many pages are open at once, and how much of uploads is in memory at once.

Streamlit keeps what every open page shows, and every file until its page is closed, and knows no limit for either.
"""

import asyncio
from collections import Counter

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from explorer.memory import give_back, in_words
from explorer.runs.queue.limits import PAGES, UPLOADS, Limits, share
from explorer.ui.state.uploads import LARGEST

_STREAM, _UPLOAD = "/_stcore/stream", "/_stcore/upload_file/"
_FILES = ("/_stcore/", "/static/", "/media/", "/component/")  # all other paths are pages
TIDYING = 5.0  # seconds from a page's end until the memory of it is given back
_IN_MEMORY = 4  # the part of the uploads that may be in memory at once, as a divisor


def door(limits: Limits) -> Middleware:
    return Middleware(Door, limits=limits)


class Door:
    """Refuses a page or a file that is one too many with one line, before anything is made or read for it."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits
        self._pages: Counter[str] = Counter()
        self._coming = 0  # bytes of files that are on their way
        self._tidying: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, address = scope.get("path", ""), (scope.get("client") or ("",))[0]
        if scope["type"] == "websocket" and path.endswith(_STREAM):
            await self._page(address, scope, receive, send)
        elif scope["type"] == "http" and scope["method"] == "PUT" and _UPLOAD in path:
            await self._file(scope, receive, send)
        elif scope["type"] == "http" and not any(part in path for part in _FILES) and (why := self._full(address)):
            await PlainTextResponse(why, 503)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _page(self, address: str, scope: Scope, receive: Receive, send: Send) -> None:
        if self._full(address):
            await send({"type": "websocket.close", "code": 1013})  # "try again later"
            return
        self._pages[address] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._pages[address] -= 1
            if not self._pages[address]:
                del self._pages[address]
            self._tidy_soon()

    def _tidy_soon(self) -> None:
        """Gives memory back a while after the first of some pages has been closed, once for all of them."""
        if self._tidying is None:
            self._tidying = asyncio.get_running_loop().call_later(TIDYING, self._tidy)

    def _tidy(self) -> None:
        self._tidying = None
        asyncio.get_running_loop().run_in_executor(None, give_back)

    def _full(self, address: str) -> str:
        """Why no further page can be opened; empty where one can."""
        for open_pages, most, where in (
            (self._pages[address], share(self._limits.pages), "from your address"),
            (self._pages.total(), self._limits.pages, "on this server"),
        ):
            if open_pages >= most:
                return (
                    f"{open_pages} pages {where} are open, as many as there may be: close one, try again in a minute, "
                    f"or set {PAGES} to more"
                )
        return ""

    async def _file(self, scope: Scope, receive: Receive, send: Send) -> None:
        said = Headers(scope=scope).get("content-length", "")
        size = int(said) if said.isascii() and said.isdecimal() and len(said) < 16 else LARGEST
        most = self._limits.uploads // _IN_MEMORY
        if _held() + self._coming + size > most:
            why = (
                f"files that take {in_words(most)} are being uploaded, as much as there may be at once: "
                f"try again in a minute, or set {UPLOADS} to more"
            )
            await PlainTextResponse(why, 413)(scope, receive, send)
            return
        self._coming += size
        try:
            await self._app(scope, receive, send)
        finally:
            self._coming -= size


def _held() -> int:
    """Bytes of uploaded files that Streamlit has in memory."""
    from streamlit.runtime import Runtime

    stats = Runtime.instance().uploaded_file_mgr.get_stats()
    return sum(stat.byte_length for family in stats.values() for stat in family)
