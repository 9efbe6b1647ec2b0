"""What waits, in a fair order: next is the owner who was served least recently, and within an owner who came first."""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")
_REMEMBERED = 1000  # owners whose last turn is known; who has been forgotten counts as never served


class Turns(Generic[Item]):
    """A queue that many share: nobody waits longer because another one asks for more.

    Items are told apart by identity. Iterating gives them in the order in which `take` will, as long as nothing comes.

    Args:
        owner: whose an item is.
    """

    def __init__(self, owner: Callable[[Item], str]) -> None:
        self._owner = owner
        self._first: list[Item] = []
        self._waiting: list[Item] = []
        self._served: OrderedDict[str, None] = OrderedDict()  # owners, who was served last comes last

    def add(self, item: Item, *, first: bool = False) -> None:
        """Lets an item wait; as the `first` of all where its turn had come already and was cut short."""
        if first:
            self._first.insert(0, item)
        else:
            self._waiting.append(item)

    def take(self) -> Item:
        """The next item, which no longer waits.

        Raises:
            StopIteration: nothing waits.
        """
        item = next(iter(self))
        if not any(item is other for other in self._first):
            self._serve(self._owner(item))
        self.remove(item)
        return item

    def remove(self, item: Item) -> None:
        """Takes an item out; nothing happens where it does not wait."""
        self._first = [other for other in self._first if other is not item]
        self._waiting = [other for other in self._waiting if other is not item]

    def clear(self) -> None:
        self._first.clear()
        self._waiting.clear()

    def __len__(self) -> int:
        return len(self._first) + len(self._waiting)

    def __contains__(self, item: object) -> bool:
        return any(item is other for other in (*self._first, *self._waiting))

    def __iter__(self) -> Iterator[Item]:
        yield from self._first
        waiting: dict[str, deque[Item]] = defaultdict(deque)
        for item in self._waiting:
            waiting[self._owner(item)].append(item)
        line = deque(owner for owner in waiting if owner not in self._served)
        line.extend(owner for owner in self._served if owner in waiting)
        while line:
            owner = line.popleft()
            yield waiting[owner].popleft()
            if waiting[owner]:
                line.append(owner)

    def _serve(self, owner: str) -> None:
        self._served[owner] = None
        self._served.move_to_end(owner)
        if len(self._served) > _REMEMBERED:
            self._served.popitem(last=False)
