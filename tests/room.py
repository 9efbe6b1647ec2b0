"""A class in one app: students who each drag and train and read what stands there, and a teacher who looks at them."""

import asyncio
import json
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from explorer.learning.classes.records import TRAINING, Allowed, Classroom
from explorer.learning.classes.register import Register
from explorer.pruning import Plan
from explorer.runs.queue.job import FILE
from explorer.structure import Cost
from explorer.tasks import METRICS
from explorer.ui import engine
from explorer.ui.state.workspace import CRITERION, Choice
from tests.markdown import as_read
from tests.seats import Seat
from tests.tabs import tab

MODEL, DATA = "demo:resnet20-digits", "digits"
ROWS = 4  # that a student has cut at once
ALLOWED = re.compile(r"begins (?:at once|within \d+ (?:s|min)) and takes")  # before she starts hers
STARTS = re.compile(r"Yours (?:starts within (\d+) (s|min)|is running)|You have started all")


@dataclass
class Answer:
    """One drag: the cut, what her page said that it reaches, and after how many seconds."""

    removed: dict[str, int]
    value: str
    seconds: float


@dataclass
class Work:
    """What one student met.

    `mixed` tells where her page showed another cut than her own. `bound` is how many seconds her training would wait at
    most, as her page said when she had started it.
    """

    nickname: str
    token: str = ""
    answers: list[Answer] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    bound: float | None = None


@dataclass
class Room:
    """A class that is played: `stale` has how many seconds after each change the teacher's page showed it."""

    classroom: Classroom
    key: str
    works: list[Work] = field(default_factory=list)
    changed: dict[str, float] = field(default_factory=dict)
    stale: list[float] = field(default_factory=list)


def opened(root: Path, seconds: int = 60) -> Room:
    """A class in the file of a server that runs, without a lesson: everybody begins at the board."""
    return Room(*Register(root).open("Thirty", MODEL, DATA, allowed=Allowed((TRAINING,), 1, seconds)))


async def play(url: str, room: Room, size: int, seconds: float, seed: int, pause: tuple[float, float]) -> None:
    """Lets `size` students work for so many seconds, with a teacher who looks at them.

    Args:
        pause: seconds from an answer to the next drag, at least and at most.
    """
    plan_of({})  # opens the network, which the students compare with, before the time begins
    end = time.perf_counter() + seconds
    room.works = [Work(f"Student {number}") for number in range(1, size + 1)]
    watching = asyncio.create_task(teacher(url, room))
    choosers = [random.Random(f"{seed} {work.nickname}") for work in room.works]
    students = (student(url, room, *each, end, pause) for each in zip(room.works, choosers, strict=True))
    try:
        await asyncio.gather(*students)
    finally:
        watching.cancel()
        (failed,) = await asyncio.gather(watching, return_exceptions=True)
    if not isinstance(failed, asyncio.CancelledError):
        raise failed


async def student(
    url: str, room: Room, work: Work, choose: random.Random, end: float, pause: tuple[float, float]
) -> None:
    """Joins, drags until the end, and starts one training on the way."""
    await asyncio.sleep(choose.uniform(0, pause[1]))
    async with tab(url) as socket, Seat(socket, "class") as seat:
        await join(seat, room, work)
        removed: dict[str, int] = {}
        train_at = time.perf_counter() + choose.uniform(0.1, 0.5) * max(0.0, end - time.perf_counter())
        while time.perf_counter() < end or work.bound is None:
            removed = next_cut(seat, removed, choose)
            await drag(seat, room, work, removed)
            if work.bound is None and time.perf_counter() >= train_at:
                await train(seat, work)
            await asyncio.sleep(choose.uniform(*pause))


async def join(seat: Seat, room: Room, work: Work) -> None:
    """Follows the link on the board, joins under a nickname, and goes to the board."""
    await seat.open(urlencode({"class": room.classroom.code.lower()}))
    await seat.until(lambda: seat.has("text_input", "Nickname"))
    await seat.submit("Join", {"Code on the board": room.classroom.code.lower(), "Nickname": work.nickname})
    await seat.until(lambda: bool(seat.components("groups")))
    await seat.settled()
    work.token = seat.token


def next_cut(seat: Seat, removed: Mapping[str, int], choose: random.Random) -> dict[str, int]:
    """The cut after a hand has moved one row."""
    ((_, document, _),) = seat.components("groups")
    group = choose.choice([group for group in document["groups"] if not group["skipped"]])
    most = max(1, (group["units"] - group["minimum"]) // 2)
    moved = {**removed, group["name"]: choose.randint(1, most)}
    while len(moved) > ROWS:
        moved.pop(next(iter(moved)))
    return moved


async def drag(seat: Seat, room: Room, work: Work, removed: dict[str, int]) -> None:
    """Lets go of a row, and waits until the strip says what the cut reaches."""
    ((board, document, _),) = seat.components("groups")
    ((_, feed, _),) = seat.components("removed")
    units = {group["name"]: group["units"] for group in document["groups"]}
    cost = plan_of(removed).cost(engine.opened(MODEL).structure)
    before, start = seat.runs, time.perf_counter()
    commit = {"revision": feed["revision"], "removed": removed, "locked": [], "blocks": [], "selected": None}
    room.changed.setdefault(work.nickname, time.time())
    await seat.trigger(board, "commit", {**commit, "inspect": None})
    await seat.until(lambda: bool(answer(seat, before, cost)[0]))
    value, run = answer(seat, before, cost)
    work.answers.append(Answer(dict(removed), value, time.perf_counter() - start))
    await seat.until(lambda: seat.finished >= run)
    work.errors += seat.shown.errors
    shown = seat.shown.choice
    if shown is None or counts(shown, units) != removed:
        work.mixed.append(f"{work.nickname}: {shown} instead of {removed}")


def answer(seat: Seat, after: int, cost: Cost) -> tuple[str, int]:
    """What the strip says that a cut of this cost reaches, and in which run; a run before was of another cut."""
    for _, document, run in seat.components("stages"):
        now = (document["cost"] or {}).get("now", {})
        if run > after and (now.get("macs"), now.get("params")) == (cost.macs, cost.params):
            return next((each["value"] for each in document["stages"] if each["name"] == "cut"), ""), run
    return "", 0


def plan_of(removed: Mapping[str, int]) -> Plan:
    """The plan of a cut, as the engine makes it."""
    groups = engine.opened(MODEL).structure.groups
    budget = {name: count / groups[name].units for name, count in removed.items()}
    return engine.plan_of(MODEL, engine.quick_scores(MODEL, DATA, CRITERION, {}), Choice(budget))


def counts(choice: Choice, units: Mapping[str, int]) -> dict[str, int]:
    return {name: round(part * units[name]) for name, part in choice.budget.items()}


def stage(seat: Seat, name: str) -> dict[str, Any]:
    """A stage as the strip said it last; empty where it did not."""
    documents = (document for _, document, _ in seat.components("stages"))
    return next((each for document in documents for each in document["stages"] if each["name"] == name), {})


async def train(seat: Seat, work: Work) -> None:
    """Presses the strip's button, as soon as there is one, and notes the bound that then stands beside the page."""
    if stage(seat, "trained").get("action") != "Train" or not ALLOWED.search(as_read(seat.words)):
        return
    start = time.perf_counter()
    await seat.trigger(seat.named("pruning_strip"), "action", "trained")
    await seat.settled()
    work.errors += seat.shown.errors
    if stage(seat, "trained").get("note") == "refused":
        work.errors.append(f"{work.nickname}: {stage(seat, 'trained').get('about')}")
        return
    await seat.until(lambda: STARTS.search(as_read(seat.words)) is not None)
    found = STARTS.search(as_read(seat.words))
    work.bound = time.perf_counter() - start  # it has been begun by now
    if found and found[1]:
        work.bound = float(found[1]) * {"s": 1, "min": 60}[found[2]]


def waits(root: Path) -> dict[str, tuple[str, float | None]]:
    """How each owner's training stands, and how many seconds it waited; None where it has not been begun."""
    found = {}
    for path in root.glob(f"*/{FILE}"):
        job = json.loads(path.read_text(encoding="utf-8"))
        if job.get("seconds") is not None and job["request"]["kind"] == "ladder":
            waited = None if job["started"] is None else job["started"] - job["created"]
            found[job["owner"]] = job["state"], waited
    return found


def wrong(room: Room) -> list[str]:
    """Numbers that a page showed for a cut and that are not what the cut reaches, computed again by the engine."""
    metric = METRICS[engine.task(DATA, engine.opened(MODEL).model).metric]
    found = []
    for work in room.works:
        for each in work.answers:
            value = metric.text(engine.simulate(MODEL, DATA, plan_of(each.removed)).quality.value)
            if value != each.value:
                found.append(f"{work.nickname}: {each.value} instead of {value} for {each.removed}")
    return found


async def teacher(url: str, room: Room) -> None:
    """Looks at who is where, and notes how long it took until each change was seen there."""
    async with tab(url) as socket, Seat(socket, "class") as seat:
        await seat.open(urlencode({"teach": room.key}))
        await seat.until(lambda: seat.has("button_group", "View"))
        await seat.choose("View", "Who is where")
        while True:
            await seat.next()
            for _, document, _ in seat.components("students"):
                for each in document["students"]:
                    begun = room.changed.get(each["name"])
                    if begun is not None and each["changed"] >= begun:
                        room.stale.append(time.time() - room.changed.pop(each["name"]))
