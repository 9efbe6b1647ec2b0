"""Who plays: a choice of ours, the best plan among several, a way of torch-pruning's, or one that trains on its way."""

from dataclasses import dataclass
from itertools import product

from explorer.bench.rivals.library import IMPORTANCES, SCOPES, STEPS, Way
from explorer.budget import ALLOCATORS
from explorer.criteria import CRITERIA
from explorer.errors import ExplorerError, unknown
from explorer.methods import METHODS
from explorer.methods.studies.ways import COMPETING
from explorer.recovery import RECOVERIES

CRITERION, ALLOCATION = "group-norm", "global"  # of the default choice
REPAIR = "reconstruct"
"""The recovery without training that is the last thing done to a cut of ours: the one that is called repaired."""
OURS, THEIRS = "ours", "theirs"
_SEARCHED = "best-plan"  # the first part of the name of what was searched


@dataclass(frozen=True)
class Ours:
    """One cut by a criterion and an allocation, and a recovery without training: a choice."""

    criterion: str = CRITERION
    allocate: str = ALLOCATION
    repair: str = REPAIR
    side = OURS

    @property
    def name(self) -> str:
        return "/".join((self.criterion, self.allocate, self.repair))

    @property
    def title(self) -> str:
        return f"{CRITERIA[self.criterion].title}, {self.allocate}, {RECOVERIES[self.repair].title}"

    def check(self) -> "Ours":
        """This choice, if all of it is known and its repair trains nothing."""
        for what, name, known in (("criterion", self.criterion, CRITERIA), ("allocation", self.allocate, ALLOCATORS)):
            if name not in known:
                raise unknown(what, name, known)
        if RECOVERIES.get(self.repair).trains:
            raise ExplorerError(f"recovery {self.repair!r} trains, and a repair does not: name another one")
        return self


@dataclass(frozen=True)
class Searched:
    """The best plan of a search for every stage: what several criteria propose, uniformly and globally, is cut and
    judged on validation images after what the stage does, and the one of the least loss is played."""

    criteria: tuple[str, ...] = COMPETING
    repair: str = REPAIR
    side = OURS

    @property
    def name(self) -> str:
        return f"{_SEARCHED}/{'+'.join(self.criteria)}/{self.repair}"

    @property
    def title(self) -> str:
        among = ", ".join(CRITERIA[name].title for name in self.criteria)
        return f"Best plan among {among}; {RECOVERIES[self.repair].title}"

    def check(self) -> "Searched":
        """This choice, if all of it is known."""
        for name in self.criteria:
            if name not in CRITERIA:
                raise unknown("criterion", name, CRITERIA)
        return self


CHOICE = Searched().name
"""The name of what is judged by default."""


@dataclass(frozen=True)
class Theirs:
    """A way of torch-pruning's.

    Args:
        trained: whether it trains between as many cuts as there are rounds, each to its part of the way.
    """

    way: Way
    trained: bool = False
    side = THEIRS

    @property
    def name(self) -> str:
        kind = "-trained" if self.trained else "-steps" if self.way.steps > 1 else ""
        return f"{self.way.importance}-{self.way.scope}{kind}"

    @property
    def title(self) -> str:
        kind = ", trained between cuts" if self.trained else ", in steps" if self.way.steps > 1 else ""
        return f"torch-pruning {self.way.importance}, {self.way.scope}{kind}"


@dataclass(frozen=True)
class Gradual:
    """A method of ours that cuts in steps and trains after each."""

    name: str
    side = OURS

    @property
    def title(self) -> str:
        return METHODS[self.name].title


Player = Ours | Searched | Theirs | Gradual


def _rivals() -> dict[str, Theirs]:
    ways = [Way(*names, steps) for steps in (1, STEPS) for names in product(IMPORTANCES, SCOPES)]
    once = [way for way in ways if way.steps == 1]
    return {each.name: each for each in [*map(Theirs, ways), *(Theirs(way, trained=True) for way in once)]}


RIVALS = _rivals()
"""Both importances in all three scopes: by one ranking, in steps, and with training between cuts."""


def player_of(side: str, name: str) -> Player:
    """The player of a side by its name in a row.

    Raises:
        ExplorerError: there is no such player.
    """
    if side == THEIRS:
        if name not in RIVALS:
            raise unknown("rival", name, RIVALS)
        return RIVALS[name]
    if name in METHODS:
        return Gradual(name)
    parts = name.split("/")
    if len(parts) != 3:
        raise ExplorerError(f"{name!r} is no choice of ours: name criterion, allocation and repair between slashes")
    if parts[0] == _SEARCHED:
        return Searched(tuple(parts[1].split("+")), parts[2]).check()
    return Ours(*parts).check()
