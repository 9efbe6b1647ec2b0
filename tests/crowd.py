"""Many people at once in one app, each with a cut of her own, and whether they ever read another's."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from explorer.ui.state.share import Shared, link_text
from explorer.ui.state.workspace import Choice
from tests.tabs import Shown, Tab, tab

PAGE = "cut"
MODEL, DATA, CRITERION = "demo:resnet20-digits", "digits", "l2"
GROUPS = [f"layer{stage}.{block}.conv1" for stage in (1, 2, 3) for block in range(3)]


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

    async def timed(self, action: Awaitable[Shown], expected: Choice, where: str) -> Shown:
        start = time.perf_counter()
        shown = await action
        self.seconds.append(time.perf_counter() - start)
        self.errors += shown.errors
        if shown.choice != expected:
            self.mixed.append(f"{where}: {shown.choice} instead of {expected}")
        return shown


async def visit(url: str, *key: object, gate: Callable[[], Awaitable[object]] | None = None) -> Visit:
    """One session, from its first link to the coming back; it waits at `gate` before it leaves."""
    found, first, second = Visit(), cut(*key, "first"), cut(*key, "second")
    async with tab(url) as socket:
        page = Tab(socket, PAGE)
        shown = await found.timed(page.open(s=link(first)), first, "opened")
        (found.token,) = parse_qs(shown.query)["w"]
        shown = await found.timed(page.open(w=found.token, s=link(second)), second, "went on")
        await found.timed(page.press(shown.button("Undo")), first, "taken back")
        if gate:
            await gate()
    async with tab(url) as socket:
        await found.timed(Tab(socket, PAGE).open(w=found.token), first, "come back")
    return found


async def crowd(url: str, size: int, seed: int) -> list[Visit]:
    """Sessions that are all there at once: none leaves before all have done their work."""
    barrier = asyncio.Barrier(size)
    return await asyncio.gather(*(visit(url, seed, "crowd", number, gate=barrier.wait) for number in range(size)))


async def waves(url: str, numbers: Iterable[int], size: int, seed: int) -> list[Visit]:
    """Sessions one after another, at most `size` at a time."""
    turn = asyncio.Semaphore(size)

    async def one(number: int) -> Visit:
        async with turn:
            return await visit(url, seed, "wave", number)

    return await asyncio.gather(*(one(number) for number in numbers))
