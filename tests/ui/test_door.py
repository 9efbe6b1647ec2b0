"""How many pages may be open, and how much may be uploaded at once."""

import asyncio

import pytest

from explorer.runs.queue.limits import Limits
from explorer.ui import door
from explorer.ui.door import Door
from tests.tabs import in_own_loop


class Inside:
    """What lies behind the door: it lets nobody go until it is told to."""

    def __init__(self):
        self.come, self.closing = [], asyncio.Event()

    async def __call__(self, scope, receive, send):
        self.come.append(scope["path"])
        await self.closing.wait()


def knock(place, path, address="10.0.0.1", kind="websocket", method="GET", headers=()):
    """Asks for a path; what was answered is known when the answer is."""
    answers = []

    async def send(message):
        answers.append(message)

    scope = {"type": kind, "path": path, "method": method, "client": (address, 1), "headers": list(headers)}
    return asyncio.ensure_future(place(scope, None, send)), answers


async def ready():
    for _ in range(5):
        await asyncio.sleep(0)


def refusal(answers):
    """Status and text of an answer."""
    return answers[0]["status"], answers[1]["body"].decode()


async def pages_are_counted():
    inside = Inside()
    place = Door(inside, Limits(pages=6))
    waiting = [knock(place, "/_stcore/stream")[0] for _ in range(3)]
    await ready()
    _, fourth = knock(place, "/_stcore/stream")
    _, page = knock(place, "/cut", kind="http")
    knock(place, "/static/app.js", kind="http")
    for address in ("10.0.0.2", "10.0.0.3", "10.0.0.4"):
        waiting.append(knock(place, "/_stcore/stream", address)[0])
    await ready()
    _, last = knock(place, "/", "10.0.0.5", kind="http")
    await ready()
    assert fourth == [{"type": "websocket.close", "code": 1013}]
    assert refusal(page)[0] == refusal(last)[0] == 503
    assert refusal(page)[1].startswith("3 pages from your address are open, as many as there may be: close one")
    assert refusal(last)[1].startswith("6 pages on this server are open")
    assert refusal(last)[1].endswith("or set EXPLORER_PAGES to more")
    assert inside.come == ["/_stcore/stream"] * 3 + ["/static/app.js"] + ["/_stcore/stream"] * 3
    inside.closing.set()
    await asyncio.gather(*waiting)
    _, again = knock(place, "/cut", kind="http")
    await ready()
    assert again == []


async def files_are_weighed():
    inside = Inside()
    place = Door(inside, Limits(uploads=4000))

    def put(size):
        headers = [] if size is None else [(b"content-length", str(size).encode())]
        return knock(place, "/_stcore/upload_file/session/file", kind="http", method="PUT", headers=headers)

    first, _ = put(600)
    for size in (600, None, 10**15):
        _, answers = put(size)
        await ready()
        assert refusal(answers)[0] == 413
        assert refusal(answers)[1].startswith("files that take 0.977 kB are being uploaded, as much as there may be")
    put(300)
    await ready()
    assert len(inside.come) == 2
    inside.closing.set()
    await first


@pytest.mark.parametrize("play", [pages_are_counted, files_are_weighed])
def test_the_door(play, monkeypatch):
    monkeypatch.setattr(door, "_held", lambda: 0)
    in_own_loop(play())
