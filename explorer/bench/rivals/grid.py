"""What is played: the networks, targets, seeds and players of the comparison with torch-pruning."""

import hashlib
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

from explorer.bench.kept import data_of
from explorer.bench.rivals.content import content_of
from explorer.bench.rivals.players import ALLOCATION, CRITERION, REPAIR, RIVALS, Gradual, Ours, Player, Searched, Theirs
from explorer.bench.seeds import MOST_SEEDS
from explorer.budget import Target
from explorer.errors import ExplorerError, unknown
from explorer.methods import METHODS
from explorer.methods.studies.ways import COMPETING
from explorer.strict_json import dumps

COMMAND = ("python", "-m", "explorer", "bench", "rivals")
FILES = ("--resume", "docs/rivals.jsonl", "--out", "docs/rivals.md", "--figure", "docs/rivals.svg")
SPLITS = ("test", "validation")
UNTRAINED = 0  # epochs
REVISION = 3
"""Of what is compared and how: a higher one for every change of ours, of torch-pruning's version or of this comparison
that gives the same run another result, so that finished rows of before are not paired with new ones."""
TASKS = ("letters", "hard-shapes", "digits")  # the hard ones first


def demos(tasks: Iterable[str], networks: Iterable[str]) -> tuple[str, ...]:
    """The refs of bundled networks, task by task."""
    return tuple(f"demo:{network}-{task}" for task, network in product(tasks, networks))


@dataclass(frozen=True)
class Run:
    """One player on one network, target and seed.

    Args:
        target: of MACs, as ``macs=0.5``.
        samples: calibration images, drawn by the seed.
        split: what accuracy is measured on.
        epochs: of training in all; `UNTRAINED`: the stages without training.
        rounds: in how many cuts players that train on their way get there.
        content: of the network and the data, see `content_of`.
        revision: see `REVISION`.
    """

    model: str
    data: str
    player: Player
    target: str
    seed: int
    samples: int
    split: str
    epochs: int = UNTRAINED
    rounds: int = 1
    content: str = ""
    revision: int = REVISION

    def told(self) -> dict[str, Any]:
        """Its fields as a row has them."""
        said = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "player"}
        return {"side": self.player.side, "player": self.player.name, **said}

    def digest(self) -> str:
        """Sixteen hexadecimal digits that change with any field."""
        return hashlib.sha256(dumps(self.told()).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Grid:
    """All runs of the comparison; it judges the best plan among the criteria that are `searched`.

    Where none are, the first of `ours` with the first allocation and repair is the choice that it judges.

    Without training every choice and every rival plays `seeds` times; then, with `epochs` of training in all, the
    choices, the `methods` and those rivals that are `tuned` play `tuned_seeds` times.

    Args:
        searched: criteria whose plans compete on the validation images, see `Searched`; they need none of `ours`.
        ours: criteria.
        allocations, repairs: each with each criterion.
        rivals: names of `RIVALS`.
        methods: of ours, that cut in `rounds` and train after each.
        split: "validation" for choosing among ours, "test" for telling how the choice compares.
    """

    models: tuple[str, ...] = demos(TASKS, ("resnet20", "vgg", "vit"))
    searched: tuple[str, ...] = COMPETING
    ours: tuple[str, ...] = (CRITERION,)
    allocations: tuple[str, ...] = (ALLOCATION,)
    repairs: tuple[str, ...] = (REPAIR,)
    rivals: tuple[str, ...] = tuple(name for name, rival in RIVALS.items() if not rival.trained)
    tuned: tuple[str, ...] = ("l2-uniform", "l2-global", "l2-isomorphic", "taylor-global", "l2-global-trained")
    methods: tuple[str, ...] = ("ifap", "idap")
    targets: tuple[str, ...] = ("macs=0.5", "macs=0.3")
    seeds: int = 5
    tuned_seeds: int = 5
    epochs: int = 4
    rounds: int = 4
    samples: int = 512
    split: str = "test"

    def check(self) -> None:
        """Raises for a name that nothing has, and for numbers that make no table."""
        for name in (*self.rivals, *self.tuned):
            if name not in RIVALS:
                raise unknown("rival", name, RIVALS)
        if untimely := [name for name in self.rivals if RIVALS[name].trained]:
            raise ExplorerError(f"rival {untimely[0]!r} trains between its cuts: name it by --tuned")
        for name in self.methods:
            if not METHODS.get(name).gradual:
                raise ExplorerError(f"method {name!r} does not cut in steps: name its criterion by --ours")
        for target in self.targets:
            if (wanted := Target.parse(target)).kind != "macs" or wanted.keep is None:
                raise ExplorerError(f"target {target!r} is no share of the MACs: write macs=0.5")
        if self.split not in SPLITS:
            raise unknown("split", self.split, SPLITS)
        if not 1 <= self.seeds <= MOST_SEEDS or not 0 <= self.tuned_seeds <= MOST_SEEDS or self.samples < 2:
            raise ExplorerError(f"the comparison needs two samples, and one seed, at most {MOST_SEEDS:,}")
        if self.tuned_seeds and (self.rounds < 1 or self.epochs < 1 or self.epochs % self.rounds):
            raise ExplorerError(
                f"{self.epochs} epochs can't be shared out over {self.rounds} rounds: let the first be a multiple of "
                "the second, or train nothing with --tuned-seeds 0"
            )
        if not self.choices():
            raise ExplorerError("nothing of ours is compared: name criteria by --searched or --ours")

    def command(self) -> str:
        """What makes this grid on the command line, with the files that the project keeps it in."""
        named = [("--small", SMALL), ("", Grid())]
        told = [[*filter(None, [flag]), *_options(self, usual)] for flag, usual in named]
        return shlex.join([*COMMAND, *min(told, key=len), *FILES])

    def choices(self) -> list[Ours | Searched]:
        """All choices of ours; the first is the one that is judged."""
        searched = [Searched(self.searched).check()] if self.searched else []
        return [*searched, *(Ours(*names).check() for names in product(self.ours, self.allocations, self.repairs))]

    def runs(self) -> Iterator[Run]:
        """All runs, those without training first, and in them the players of one seed side by side."""
        rivals: list[Player] = [RIVALS[name] for name in self.rivals]
        yield from self._runs([*self.choices(), *rivals], self.seeds, UNTRAINED)
        trained: list[Player] = [RIVALS[name] for name in self.tuned]
        trained += [Gradual(name) for name in self.methods]
        yield from self._runs([*self.choices(), *trained], self.tuned_seeds, self.epochs)

    def _runs(self, players: list[Player], seeds: int, epochs: int) -> Iterator[Run]:
        data = {model: data_of(model) for model in self.models}
        content = {model: content_of(model, data[model]) for model in self.models if seeds}
        for model, target, seed, player in product(self.models, self.targets, range(seeds), players):
            rounds = (
                self.rounds if isinstance(player, Gradual) or (isinstance(player, Theirs) and player.trained) else 1
            )
            asked = (target, seed, self.samples, self.split, epochs, rounds)
            yield Run(model, data[model], player, *asked, content=content[model])


def _options(grid: Grid, usual: Grid) -> Iterator[str]:
    """The options that make a grid of the usual one."""
    for field in fields(grid):
        value = getattr(grid, field.name)
        if value != getattr(usual, field.name):
            text = ",".join(value) if isinstance(value, tuple) else str(value)
            yield from (f"--{field.name.replace('_', '-')}", text)


SMALL = Grid(
    models=demos(TASKS[:2], ("resnet20", "vgg")),
    rivals=("l2-uniform", "l2-global", "l2-global-steps", "taylor-uniform", "taylor-global"),
    tuned=("l2-uniform", "l2-global"),
    methods=(),
    tuned_seeds=2,
    epochs=1,
    rounds=1,
)
"""The comparison in half an hour of two cores."""
