"""The scoreboard: every method and criterion, by recovery and target, over seeds, on the bundled tasks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any

from explorer.bench.kept import Row, data_of, made, pipes
from explorer.bench.rows import Played
from explorer.bench.seeds import MOST_SEEDS, over_seeds
from explorer.budget import ALLOCATORS, Target
from explorer.criteria import CRITERIA, Scores
from explorer.errors import ExplorerError, unknown
from explorer.memory import KEPT
from explorer.methods import METHODS
from explorer.methods.spec import Spec
from explorer.methods.tools import steps
from explorer.methods.tools.choosing import choose
from explorer.methods.tools.stages import Memo, Record, forgetful, seed_everything
from explorer.progress import Report, silent
from explorer.recovery import RECOVERIES, Origin
from explorer.strict_json import dumps
from explorer.tasks import METRICS, evaluate

UNLIMITED = 1.0  # a gradual method is to reach the target, whatever it costs


@dataclass(frozen=True)
class Grid:
    """What is played: every combination, except that methods other than one-shot keep their own criterion and recovery.

    Methods with presets are played once by each of the `presets`; whatever these say of the steps, of the first step's
    share or of the largest drop, all go to the target in as many steps.

    After a single cut a recovery trains for `epochs`, in each step of a gradual method for ``epochs / steps``, so that
    all have the same effort; but each block that IDAP++ tries to do without takes a step more.
    """

    models: tuple[str, ...] = ("demo:resnet20-digits", "demo:vit-digits")
    methods: tuple[str, ...] = ("one-shot", "ifap", "idap")
    criteria: tuple[str, ...] = ("flow", "l1", "l2", "taylor", "bn-scale", "random")
    allocations: tuple[str, ...] = ("global",)
    recoveries: tuple[str, ...] = ("none", "bn", "distill")
    targets: tuple[str, ...] = ("macs=0.5", "macs=0.3")
    presets: tuple[str, ...] = ("ours",)
    seeds: int = 3
    epochs: int = 4
    steps: int = 4
    samples: int = 512

    def check(self) -> None:
        """Raises for a name that nothing has, and for numbers that make no table."""
        for what, names, known in (
            ("method", self.methods, METHODS),
            ("criterion", self.criteria, CRITERIA),
            ("allocation", self.allocations, ALLOCATORS),
            ("recovery", self.recoveries, RECOVERIES),
        ):
            for name in names:
                if name not in known:
                    raise unknown(what, name, known)
        for method in (METHODS[name] for name in self.methods):
            for preset in self.presets if method.presets else ():
                method.preset(preset)
        if sparse := [name for name in self.methods if METHODS[name].sparse]:
            raise ExplorerError(f"{sparse[0]} has no target of MACs: use bench dg2pf")
        if not 1 <= self.seeds <= MOST_SEEDS or self.epochs < self.steps or self.steps < 1:
            raise ExplorerError(
                f"the scoreboard needs one seed, at most {MOST_SEEDS:,}, at least one step, and as many epochs as steps"
            )

    def specs(self) -> Iterator[Spec]:
        """One run each, the quick ones first."""
        data = {model: data_of(model) for model in self.models}
        for recovery in sorted(self.recoveries, key=lambda name: RECOVERIES[name].trains):
            for model, target, seed in product(self.models, self.targets, range(self.seeds)):
                for criterion, allocation in product(self.criteria, self.allocations):
                    if "one-shot" in self.methods:
                        asked = Spec(model, data[model], criterion=criterion, allocate=allocation, recover=recovery)
                        yield self._at(asked, target, seed, self.epochs)
        for model, target, seed in product(self.models, self.targets, range(self.seeds)):
            for method in self.methods:
                usual = Spec(model, data[model], method=method, **METHODS[method].defaults)
                presets = self.presets if METHODS[method].presets else ()
                for asked in (METHODS[method].following(preset, usual) for preset in presets) if presets else [usual]:
                    if METHODS[method].targeted:
                        yield self._at(asked, target, seed, self.epochs)
                    if METHODS[method].gradual:
                        paced = replace(asked, steps=self.steps).with_settings(max_drop=UNLIMITED, rho=None)
                        yield self._at(paced, target, seed, self.epochs // self.steps)

    def _at(self, spec: Spec, target: str, seed: int, epochs: int) -> Spec:
        wanted = Target.parse(target)
        return replace(spec, keep={wanted.kind: wanted.keep}, seed=seed, epochs=epochs, samples=self.samples)


SMALL = Grid(
    models=("demo:vgg-digits",),
    methods=("one-shot", "ifap"),
    criteria=("flow", "l1", "taylor", "random"),
    allocations=("uniform", "global", "lamp"),
    recoveries=("none", "bn", "reconstruct", "distill"),
    seeds=2,
    epochs=2,
    steps=2,
)
"""A look at everything in minutes."""

SPVR = Grid(
    models=("demo:resnet20-digits",),
    methods=("one-shot", "spvr"),
    criteria=("l1", "taylor", "random"),
    recoveries=("scratch",),
    targets=("params=0.3", "params=0.2", "params=0.1"),
    epochs=20,
    steps=1,
)
"""Networks of 30, 20 and 10 % of the parameters, chosen by SPvR and by one ranking of all groups with other criteria,
every one trained from its beginning for as many epochs."""


def scoreboard(grid: Grid, *, kept: Path | None = None, processes: int = 1, report: Report = silent) -> list[Row]:
    """One row per run of the grid, see `play`; a run that can't be made has `error` instead.

    Args:
        kept: a file of finished rows, one JSON object a line; runs that are in it are not made again.
        processes: how many runs are made at a time, each on one thread.

    Raises:
        ExplorerError: an unknown name, or the file holds something else.
    """
    grid.check()
    specs = list(grid.specs())
    rows = made(
        specs,
        play,
        kind=Played,
        kept=kept,
        processes=processes,
        report=report,
        told=lambda row: f", {row['model']} by {player(row, [row])}, {row['recover']}",
    )
    return [rows[spec.digest()] for spec in specs]


def play(spec: Spec) -> Row:
    """Makes one run without writing anything.

    Returns:
        `run` (its digest), `model`, `method`, its `preset` where that is not the first, `criterion`, `allocate`,
        `recover`, `target`, `seed`, `epochs`; `params`
        and `macs` as fractions of the whole; `metric`, with its test value `base` of the whole model, `as_cut` and
        `value` at the end; `samples` it was measured on; `seconds`.
    """
    kind, fraction = next(iter(spec.keep.items()))
    names = ("model", "method", "criterion", "allocate", "recover", "seed", "epochs")
    who = {name: getattr(spec, name) for name in names}
    row = {"run": spec.digest(), **who, **preset_of(spec), "target": f"{kind}={fraction:g}"}
    started = perf_counter()
    try:
        found = _one_shot(spec) if spec.method == "one-shot" else _by_method(spec)
    except ExplorerError as error:
        return {**row, "error": str(error)}
    return {**row, **found, "seconds": perf_counter() - started}


def preset_of(spec: Spec) -> dict[str, str]:
    """The preset that a spec follows, but for what the grid says, where it is not what the method does anyway."""
    method = METHODS[spec.method]
    found = method.nearest(spec)
    return {} if found == next(iter(method.presets), "") else {"preset": found}


def _one_shot(spec: Spec) -> dict[str, Any]:
    subject, base = _opened(spec.model, spec.data)
    plan, *_ = choose(subject, spec, _scored(replace(spec, keep={"macs": 1.0}, recover="none", epochs=None)))
    module = steps.cut_exactly(subject, plan).module
    as_cut = _test(subject, module)
    if spec.recover != "none":
        seed_everything(spec.seed)
        origin = Origin(subject.module, subject.structure, plan)
        steps.recovered(subject, spec, module, origin)(silent)
    metric, samples = subject.task.metric, len(subject.task.test)
    left = steps.fractions(plan.cost(subject.structure), subject.structure.cost())
    values = {"base": base, "as_cut": as_cut, "value": _test(subject, module)}
    return {**left, "metric": metric, **values, "samples": samples}


def _by_method(spec: Spec) -> dict[str, Any]:
    method = METHODS[spec.method]
    outcome = method.function(spec, silent, _ranked_once(spec) if method.targeted else forgetful)
    metric = outcome.base["metric"]
    values = {"base": outcome.base[metric], "as_cut": outcome.as_cut[metric], "value": outcome.pruned[metric]}
    return {**outcome.achieved, "metric": metric, **values, "samples": outcome.base["samples"]}


_rankings: dict[str, Record] = {}


def _ranked_once(spec: Spec) -> Memo:
    """Remembers the ranking from which a method takes its units, which is the same for every target and effort."""
    key = replace(spec, keep=None, epochs=None).digest()

    def memo(name: str, make: Callable[[], Record]) -> Record:
        if name != "scores":
            return make()
        if key not in _rankings:
            _rankings[key] = make()
        return _rankings[key]

    return memo


def _opened(model: str, data: str) -> tuple[steps.Subject, float]:
    """A subject and its test metric, shared by the runs of a process; runs do not write to it."""

    def make() -> tuple[steps.Subject, float]:
        subject = steps.open_subject(Spec(model, data, device="auto"), silent)
        return subject, _test(subject, subject.module)

    return KEPT.get((__name__, model, data), make)


def _scored(spec: Spec) -> Scores:
    def make() -> Scores:
        return steps.scores_of(steps.score_subject(_opened(spec.model, spec.data)[0], spec, silent))

    return KEPT.get((__name__, dumps(spec.to_json())), make)


def _test(subject: steps.Subject, module: Any) -> float:
    task = subject.task
    return evaluate(module, task.test, kind=task.kind, device=subject.device).value


PLAYERS = ("model", "method", "criterion", "allocate", "recover", "target")  # what a line of the table is about


def summary(rows: Sequence[Row]) -> list[Row]:
    """One line per model, method, criterion, allocation, recovery, target and preset, over its seeds.

    Each has the `PLAYERS`, `preset` (empty: the first, or none), `metric`, `base`, the means `macs`, `params`,
    `as_cut`, `value` and `seconds`, the 95 % interval `low` to `high` of `value`, and `runs`; or `error`, where a run
    could not be made.
    """
    lines: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        lines.setdefault((*(row[name] for name in PLAYERS), row.get("preset", "")), []).append(row)
    return [
        dict(zip((*PLAYERS, "preset"), players, strict=True))
        | over_seeds(played, ("macs", "params", "as_cut", "seconds"))
        for players, played in lines.items()
    ]


HEADS = (
    *("model", "method", "criterion", "allocation", "recovery", "target"),
    *("params kept", "MACs kept", "as cut", "at the end", "95 %", "runs"),
)


def cells(line: Row) -> list[str]:
    """A line for a person."""
    who = [line[name] for name in PLAYERS]
    if line["preset"]:
        who[PLAYERS.index("method")] += f", {line['preset']}"
    if "error" in line:
        return [*who, line["error"], *[""] * (len(HEADS) - len(who) - 1)]
    metric = METRICS[line["metric"]]
    spread = f"{metric.text(line['low'])} to {metric.text(line['high'])}"
    return [
        *who,
        f"{line['params']:.1%}",
        f"{line['macs']:.1%}",
        metric.text(line["as_cut"]),
        metric.text(line["value"]),
        spread,
        str(line["runs"]),
    ]


def markdown(lines: Sequence[Row]) -> str:
    """The table as Markdown."""
    return pipes(HEADS, [cells(line) for line in lines])


def player(line: Row, among: Sequence[Row]) -> str:
    """Who played: the method, or the criterion, with its allocation where those `among` differ in it."""
    method = METHODS[line["method"]]
    if method.chooses:
        preset = line.get("preset", "")
        return f"{method.title}, {method.presets[preset].title.lower()}" if preset else method.title
    title = CRITERIA[line["criterion"]].title
    return title if len({other["allocate"] for other in among}) == 1 else f"{title}, {line['allocate']}"
