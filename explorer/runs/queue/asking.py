"""Questions: quick work that leaves nothing on disk, kept in memory, and answered once for all who ask the same."""

import copy
import threading
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from explorer.errors import ExplorerError
from explorer.runs.queue.links import LIVES, Event
from explorer.runs.queue.question_kinds import files_behind

ROOM = 300  # questions that may wait, of all people together
ANSWERS = 500  # that are kept
REMEMBERED = 2000  # of what people have asked, so that asking again is looking again


class Asked:
    """A question as one person asked it: how it stands, at any time and from any thread.

    Args:
        question: the work behind it, which others may have asked for as well.
        owner: who asked.
        key: which of the owner's questions it is; the next one of that key takes its place.
    """

    def __init__(self, question: "Question", owner: str, key: str) -> None:
        self.owner, self.key = owner, key
        self._question, self._replaced, self._over = question, False, threading.Event()

    @property
    def state(self) -> str:
        """ "waiting", "running", "done", "failed", or "replaced" by a newer question before its answer came."""
        return "replaced" if self._replaced else self._question.state

    @property
    def final(self) -> bool:
        return self._over.is_set()

    @property
    def request(self) -> Mapping[str, Any]:
        """What was asked."""
        return self._question.request

    @property
    def fraction(self) -> float:
        return self._question.fraction

    @property
    def message(self) -> str:
        """What is being done, a short phrase."""
        return self._question.message

    @property
    def result(self) -> dict[str, Any] | None:
        """The answer, as the kind of question describes it; None until the state is "done"."""
        return self._question.result

    @property
    def error(self) -> str | None:
        """Why it failed, a sentence for a person; None where it did not."""
        return self._question.error

    @property
    def digest(self) -> str:
        """The same for two questions that have the same answer."""
        return self._question.digest

    def still(self, request: Mapping[str, Any]) -> bool:
        """Whether a request is this question, to the letter and with the same files behind it: cheap to ask again."""
        question = self._question
        return not self._replaced and question.request == request and question.files == files_behind(request)

    def wait(self, seconds: float) -> bool:
        """Whether it has come to its end, after so many seconds at most."""
        return self._over.wait(seconds)


@dataclass(eq=False)
class Question:
    """A piece of work that is asked for by one person or more. Only the desk changes it, under its lock.

    Args:
        request: ``{"kind": …, "spec": {…}}``, see `explorer.runs.queue.question_kinds`; it is copied.
        digest: of the request and of the files that stand behind its refs.
        device: on which it is answered.
    """

    request: Mapping[str, Any]
    digest: str
    device: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    state: str = "waiting"
    fraction: float = 0.0
    message: str = "waiting"
    result: dict[str, Any] | None = None
    error: str | None = None
    stopping: bool = False
    deaths: int = 0
    askers: list[Asked] = field(default_factory=list)
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.request, self.files = copy.deepcopy(dict(self.request)), files_behind(self.request)

    @property
    def owner(self) -> str:
        """Whose turn it takes: that of who asked first."""
        return self.askers[0].owner if self.askers else ""

    @property
    def final(self) -> bool:
        return self.state in ("done", "failed", "dropped")

    def start(self) -> None:
        self.state, self.message = "running", "starting"

    def end(self, state: str, *, result: dict[str, Any] | None = None, error: str | None = None) -> None:
        """Ends it, and wakes all who wait for it; the first end counts."""
        if self.final:
            return
        self.result, self.error, self.message = result, error, error or state
        self.fraction = 1.0 if state == "done" else self.fraction
        self.state = state
        for asked in self.askers:
            asked._over.set()


class Questions:
    """All that people ask, and the answers that are known. Not locked by itself: the desk does that."""

    def __init__(self) -> None:
        self._asked: OrderedDict[tuple[str, str], Asked] = OrderedDict()
        self._open: dict[str, Question] = {}
        self._answers: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def latest(self, owner: str, key: str) -> Asked | None:
        """What an owner has asked last under a key."""
        return self._asked.get((owner, key))

    def admit(self, question: Question, leaving: Asked | None = None) -> None:
        """Refuses a question that would be one too many; nothing is changed.

        Args:
            leaving: what it takes the place of.

        Raises:
            ExplorerError: too many wait already.
        """
        if question.digest in self._open or question.digest in self._answers:
            return
        freed = leaving and leaving._question
        waiting = [other for other in self._open.values() if other.state == "waiting"]
        if len(waiting) - any(other is freed and len(other.askers) == 1 for other in waiting) >= ROOM:
            raise ExplorerError(f"{len(waiting)} questions are waiting on this server already: try again in a moment")

    def ask(self, question: Question, owner: str, key: str) -> tuple[Asked, bool]:
        """The question as the owner's latest of that key, and whether it is new work, which has to be queued."""
        known = self._open.get(question.digest)
        if known is None and question.digest in self._answers:
            self._answers.move_to_end(question.digest)
            question.end("done", result=self._answers[question.digest])
        elif known is None:
            self._open[question.digest] = question
        asked = Asked(known or question, owner, key)
        if asked._question.final:
            asked._over.set()
        else:
            asked._question.askers.append(asked)
        self._asked[owner, key] = asked
        self._asked.move_to_end((owner, key))
        self._tidy()
        return asked, known is None and not question.final

    def replace(self, asked: Asked) -> Question | None:
        """Takes a person's question back, once; gives its work where now nobody asks for that any more."""
        question = asked._question
        if asked.final:
            return None
        asked._replaced = True
        asked._over.set()
        question.askers.remove(asked)
        if question.askers:
            return None
        del self._open[question.digest]
        return question

    def hear(self, question: Question, event: Event) -> None:
        """Takes an event of the worker that answers a question."""
        match event["event"]:
            case "progress":
                question.fraction = max(question.fraction, min(1.0, event["fraction"]))
                question.message = event["message"]
            case "done":
                self.end(question, "done", result=event["result"])
            case "cancelled":
                self.end(question, "dropped")
            case "failed":
                self.end(question, "failed", error=event["error"])

    def died(self, question: Question, reason: str) -> bool:
        """Whether a question whose worker has died is to be asked again; else it has ended."""
        question.deaths += 1
        if question.stopping:
            self.end(question, "dropped")
        elif question.deaths >= LIVES:
            advice = "use a smaller model or fewer channels at once, or another device"
            self.end(question, "failed", error=f"{reason}, {question.deaths} times with the same question: {advice}")
        else:
            question.state, question.message = "waiting", "waiting"
        return not question.final

    def end(
        self, question: Question, state: str, *, result: dict[str, Any] | None = None, error: str | None = None
    ) -> None:
        question.end(state, result=result, error=error)
        if self._open.get(question.digest) is question:
            del self._open[question.digest]
        if state == "done" and result is not None:
            self._answers[question.digest] = result
            self._tidy()

    def close(self) -> None:
        """Ends all that is open: nobody answers any more."""
        for question in list(self._open.values()):
            self.end(question, "failed", error="the server is closing: ask again when it has started anew")

    def _tidy(self) -> None:
        while len(self._answers) > ANSWERS:
            self._answers.popitem(last=False)
        if len(self._asked) > REMEMBERED:
            place = next((place for place, asked in self._asked.items() if asked.final), None)
            if place is not None:
                del self._asked[place]
