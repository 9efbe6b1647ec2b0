"""What a run is asked to do: a frozen record that reads and writes strict JSON."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from explorer.errors import ExplorerError, unknown
from explorer.strict_json import Check, is_integer, is_list, is_number, is_table, is_text

TEACHERS = ("base", "previous")


@dataclass(frozen=True)
class Spec:
    """One run, complete: the same spec with the same versions gives the same cut weights.

    What is removed is said in exactly one of three ways: `keep` (targets such as ``{"macs": 0.5, "size": "2MB"}``,
    reached by `allocate`, with widths that are multiples of `round_to`; latency is that of a `batch` in the
    `runtime`), `ratios` (fraction of units to remove, per group) or `plan` (unit indices to remove, per group, and
    residual blocks to `skip`). `samples` counts the calibration samples that are scored on, `epochs` the passes of
    fine-tuning (None: its own default), in each step where there are several. With a target, every group keeps
    `minimum` (below 1 a fraction, else a number of units) and `locked` groups stay whole.
    `input_shape` is (C, H, W), None for the model's own.

    Methods that cut gradually need no target. They make up to `steps` cuts; cut t removes ``rho·(1 + t/steps)^alpha``
    of the remaining units (`rho` None: what leads to the target, else the method's default), is taken back
    where the validation metric is more than `max_drop` below the base's, and learns from the `teacher`: the "base"
    model or that of the "previous" step. Where a method also takes out residual blocks, up to `blocks` of them may go
    (None: as many as `max_drop` allows), in ascending `block_order`: by "divergence", or by the "loss" without them.

    Methods that set single weights to zero need the `sparsity`, the share of the weights that goes, in its place;
    what else such a method can be told is in `settings`. Their `locked` names are of layers.
    """

    model: str
    data: str
    method: str = "one-shot"
    criterion: str = "l2"
    options: dict[str, str] = field(default_factory=dict)
    allocate: str = "global"
    normalise: str = "mean"
    keep: dict[str, float | str] | None = None
    ratios: dict[str, float] = field(default_factory=dict)
    plan: dict[str, tuple[int, ...]] | None = None
    recover: str = "none"
    epochs: int | None = None
    samples: int = 512
    seed: int = 0
    device: str = "auto"
    input_shape: tuple[int, ...] | None = None
    minimum: float = 0.1
    locked: tuple[str, ...] = ()
    steps: int = 10
    alpha: float = 1.5
    rho: float | None = None
    max_drop: float = 0.02
    teacher: str = "base"
    blocks: int | None = None
    block_order: str = "divergence"
    skip: tuple[str, ...] = ()
    round_to: int = 1
    runtime: str = "torch"
    batch: int = 1
    sparsity: float | None = None
    settings: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, every field present."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_json(cls, document: object) -> "Spec":
        """The spec in a JSON object.

        Raises:
            ExplorerError: an unknown or missing key, or a value of the wrong type.
        """
        if not isinstance(document, Mapping):
            raise ExplorerError("a run's spec must be a JSON object")
        known = [f.name for f in fields(cls)]
        for key in document:
            if key not in known:
                raise unknown("key in the run's spec", str(key), known)
        for key in ("model", "data"):
            if key not in document:
                raise ExplorerError(f"the run's spec has no {key!r}: name the {key} by its ref")
        return cls(**{key: _typed(key, value) for key, value in document.items()})

    def digest(self) -> str:
        """Sixteen hexadecimal digits that change when any field changes; a field at its default is left out of them.

        So a field that a later version adds changes no digest; one that gets another default must get another name.
        """
        usual = Spec("", "").to_json()
        asked = {key: value for key, value in self.to_json().items() if value != usual[key]}
        text = json.dumps(asked, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def differs(self, document: object) -> list[str]:
        """The fields that are others in a spec's JSON, which an earlier version may have written with fewer."""
        mine = self.to_json()
        try:
            other = Spec.from_json(document).to_json()
        except ExplorerError:
            return list(mine)
        return [key for key in mine if mine[key] != other[key]]

    def check(self, *, removes: bool = True) -> None:
        """Refuses what can be known to be wrong without loading model or data.

        `removes`: the spec must say what goes; scoring and evaluating need not.

        Raises:
            ExplorerError: a number out of range, no or several ways to say what goes, an unknown
                method, criterion, allocator, normaliser, recovery, target or device, or what the method refuses.
        """
        from explorer.methods import METHODS

        self._check_numbers()
        if removes:
            self._check_request()
        self._check_names()
        if removes:
            METHODS[self.method].check(self)

    def _check_numbers(self) -> None:
        least = {"samples": 1, "epochs": 1, "seed": 0, "minimum": 0, "steps": 1, "alpha": 0, "max_drop": 0, "blocks": 0}
        least |= {"round_to": 1, "batch": 1}
        for name, bound in least.items():
            value = getattr(self, name)
            if value is not None and not value >= bound:
                raise ExplorerError(f"{name} is {value:g}: it must be at least {bound}")
        if self.rho is not None and not 0 < self.rho * (2 - 1 / self.steps) ** self.alpha < 1:
            raise ExplorerError(
                f"rho is {self.rho:g}: it must be above 0, and below 1 also in the last step, grown by "
                f"{(2 - 1 / self.steps) ** self.alpha:.3g}"
            )
        if self.sparsity is not None and not 0 < self.sparsity < 1:
            raise ExplorerError(
                f"sparsity is {self.sparsity:g}: give the share of weights that become zero, 0.9 for 90 %"
            )
        for group, ratio in self.ratios.items():
            if not 0 <= ratio < 1:
                raise ExplorerError(f"ratio {group}={ratio:g}: give a fraction to remove, at least 0 and below 1")

    def _check_request(self) -> None:
        from explorer.methods import METHODS

        gradual = self.method in METHODS and METHODS[self.method].gradual
        sparse = self.method in METHODS and METHODS[self.method].sparse
        given = [
            name
            for name, value in (("keep", self.keep), ("ratios", self.ratios), ("plan", self.plan or self.skip))
            if value
        ]
        if self.skip and self.plan is None:
            raise ExplorerError("blocks to skip are part of a plan: give a plan that names them")
        if gradual and (self.ratios or self.plan or self.skip):
            raise ExplorerError(
                f"method {self.method!r} finds the units itself: give a target or none, no ratios or plan"
            )
        if sparse and given:
            raise ExplorerError(f"method {self.method!r} sets single weights to zero: give --sparsity, no {given[0]}")
        if self.sparsity is not None and not sparse:
            raise ExplorerError(
                f"method {self.method!r} cuts channels: give a target, or --method sparse for a sparsity"
            )
        if not given and not gradual and not sparse:
            raise ExplorerError("nothing to remove: give a target (--keep macs=0.5) or ratios (--ratio GROUP=0.3)")
        if len(given) > 1:
            raise ExplorerError(f"{' and '.join(given)} both say what goes: give one of them")
        self.targets()
        if gradual:
            self.target()

    def _check_names(self) -> None:
        from explorer.budget import ALLOCATORS, NORMALISERS
        from explorer.budget.latency_table import RUNTIMES
        from explorer.criteria import CRITERIA
        from explorer.criteria.divergence import BLOCK_ORDERS
        from explorer.device import choose_device
        from explorer.methods import METHODS
        from explorer.methods.settings import read
        from explorer.recovery import RECOVERIES

        for what, name, known in (
            ("method", self.method, METHODS),
            ("criterion", self.criterion, CRITERIA),
            ("allocation", self.allocate, ALLOCATORS),
            ("normaliser", self.normalise, NORMALISERS),
            ("runtime", self.runtime, RUNTIMES),
            ("recovery", self.recover, RECOVERIES),
            ("teacher", self.teacher, TEACHERS),
            ("order of blocks", self.block_order, BLOCK_ORDERS),
        ):
            if name not in known:
                raise unknown(what, name, known)
        if METHODS[self.method].gradual and ALLOCATORS[self.allocate].needs:
            simple = [name for name, allocator in ALLOCATORS.items() if not allocator.needs]
            raise ExplorerError(
                f"allocation {self.allocate!r} can't go in steps, as method {self.method!r} does: "
                f"use {', '.join(simple)}, or --method one-shot"
            )
        if RECOVERIES[self.recover].needs and self.data.partition("?")[0] == "random":
            raise ExplorerError(
                f"recovery {self.recover!r} can't learn from 'random' data: use --recover none, or real data"
            )
        CRITERIA[self.criterion].read(self.options)
        read(self.method, METHODS[self.method].settings, self.settings)
        choose_device(self.device)

    def targets(self) -> tuple[Any, ...]:
        """The `explorer.budget.Target`s that `keep` asks for; none where it asks for nothing.

        Raises:
            ExplorerError: `keep` names something unknown, or an impossible fraction or amount.
        """
        from explorer.budget import Target

        return tuple(Target.parse(f"{kind}={value}") for kind, value in (self.keep or {}).items())

    def target(self) -> Any:
        """The one target, a fraction of params or MACs, of a method that cuts in steps; None where there is none.

        Raises:
            ExplorerError: there are several, or one that such a method can't follow.
        """
        targets = self.targets()
        followed = [target for target in targets if target.amount is None and target.kind in ("params", "macs")]
        if len(targets) > 1 or followed != list(targets):
            raise ExplorerError(
                f"method {self.method!r} cuts in steps towards one fraction of macs or params: give one, such as "
                "--keep macs=0.5, or use --method one-shot"
            )
        return targets[0] if targets else None


_RULES: dict[str, tuple[Check, str]] = {
    "options": (is_table(is_text), "an object of option names and values"),
    "settings": (is_table(is_text), "an object of setting names and values"),
    "keep": (
        is_table(lambda value: is_number(value) or is_text(value)),
        'an object such as {"macs": 0.5} or {"size": "2MB"}',
    ),
    "ratios": (is_table(is_number), "an object of group names and fractions"),
    "plan": (is_table(is_list(is_integer)), "an object of group names and lists of unit indices"),
    "input_shape": (is_list(is_integer), "a list of whole numbers such as [3, 224, 224]"),
    **dict.fromkeys(("minimum", "alpha", "rho", "max_drop", "sparsity"), (is_number, "a number")),
    "locked": (is_list(is_text), "a list of group names"),
    "skip": (is_list(is_text), "a list of residual blocks"),
    **dict.fromkeys(("epochs", "samples", "seed", "steps", "blocks"), (is_integer, "a whole number")),
    **dict.fromkeys(("round_to", "batch"), (is_integer, "a whole number")),
}


def _typed(key: str, value: object) -> Any:
    if value is None and key in ("keep", "plan", "input_shape", "epochs", "rho", "blocks", "sparsity"):
        return None
    accepts, description = _RULES.get(key, (is_text, "a text"))
    if not accepts(value):
        raise ExplorerError(f"{key!r} in the run's spec must be {description}")
    if key == "plan":
        return {group: tuple(indices) for group, indices in value.items()}
    if isinstance(value, Mapping):
        return dict(value)
    return tuple(value) if isinstance(value, list | tuple) else value
